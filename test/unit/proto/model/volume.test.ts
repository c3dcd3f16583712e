import test from 'ava';
import { isVolumeName, splitVolumeId, volumeId, volumeName, volumeNames, volumesOf } from '#model/volume.ts';
import { parseNodeId } from '#model/ids.ts';
import type { CompanionSpec } from '#model/service.ts';
import { container } from '../../../support/builders.ts';

const mount = (source: string) => ({ kind: 'volume', source, target: `/${source}`, readOnly: false } as const);
const user = (perReplica: boolean) => ({ namespace: 'default', volumes: [{ name: 'data', perReplica }], container: container({ volumes: [mount('data')] }) });

test('a volume is one of its namespace, or one a replica; binds and tmpfs are none', t => {
  t.deepEqual(volumeNames(user(false), 3), ['default/data']);
  t.deepEqual(volumeNames(user(true), 3), ['default/data-3']);
  t.deepEqual(volumeNames({ ...user(false), container: container({ volumes: [{ kind: 'tmpfs', target: '/t', sizeBytes: 1 }, { kind: 'bind', hostPath: '/srv', target: '/s', readOnly: false }] }) }, 0), []);
});
test('companions\' volumes count, each once', t => {
  const companion: CompanionSpec = { name: 'copy', role: 'sidecar', container: container({ volumes: [mount('data'), mount('logs')] }) };
  t.deepEqual(volumesOf({ ...user(true), companions: [companion] }, 1), [{ namespace: 'default', name: 'data', slot: 1 }, { namespace: 'default', name: 'logs' }]);
});
test('what a node may call a volume', t => {
  t.deepEqual(['data', 'data-0', `${'a'.repeat(63)}-12`, 'data-', '..', 'a/b', '', 'Data', '.removed', 'a'.repeat(64)].map(isVolumeName), [true, true, true, false, false, false, false, false, false, false]);
});
test('the id of a record says which volume is where', t => {
  const id = volumeId(volumeName({ namespace: 'prod', name: 'data', slot: 4 }), parseNodeId('n7'));
  t.is(id, 'prod/data-4/n7');
  t.deepEqual(splitVolumeId(id), { name: 'prod/data-4', node: parseNodeId('n7') });
});
