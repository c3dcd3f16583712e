import test from 'ava';
import type { Service } from '#model/app.ts';
import { parsePlacementRule } from '#model/constraint.ts';
import { findBlocked } from '../../../../controller/schedule/blocked.ts';
import { helps } from '../../../../controller/schedule/candidate.ts';
import { labelled, mended, opened, reopened } from '../../../../controller/schedule/fix-node.ts';
import { node, resources, service, snapshot, task } from '../../../support/builders.ts';
import type { NodeOptions } from '../../../support/builders.ts';

const rules = ['zone == a', 'arch == amd64'].flatMap(text => {
  const parsed = parsePlacementRule(text);
  return parsed.kind === 'rule' ? [parsed.rule] : [];
});
const fussy = service({ placement: { require: rules }, container: { requests: { ...resources(5_000, 5_000), pids: 99 }, deviceRequests: [{ name: 'acme.com/gpu', count: 2 }], limits: { memoryBytes: 1, pids: 1, cpuset: '4' } } });

const plain = service();

function changes(kind: typeof mended, options: NodeOptions, of: Service = fussy): readonly string[] {
  const blocked = findBlocked(snapshot({ nodes: [node('n1', options)], services: [of] }), of, [{ slot: 0 }]);
  const found = blocked === undefined ? [] : kind(blocked, blocked.nodes);
  return found.map(one => (one.fix.edit.kind === 'node' && blocked !== undefined && helps(blocked, one) ? one.fix.edit.change : 'no help'));
}

test('everything that is wrong with a node, at once; then the task fits', t => {
  t.deepEqual(changes(mended, { availability: 'draining', taints: ['b', 'a'], runtimes: ['runc'], capacity: { ...resources(1_000, 1_024), pids: 9 } }), [
    'give it 2 more of device acme.com/gpu; give it 3976Mi more memory; give it 4 more cpu; give it 90 more pids; give it the cpus 4; install the runtime crun; label it zone=a; remove its taints a, b; uncordon it',
  ]);
});
test('what operators do by a call comes with it; with a part that is no call there is none', t => {
  const commands = (options: NodeOptions, of: Service): readonly (string | undefined)[] => {
    const blocked = findBlocked(snapshot({ nodes: [node('n1', options)], services: [of] }), of, [{ slot: 0 }]);
    return blocked === undefined ? [] : mended(blocked, blocked.nodes).map(one => one.fix.command);
  };
  const zoned = service({ placement: { require: rules } });
  t.deepEqual(commands({ availability: 'cordoned' }, zoned), ['clusterctl label node/n1 zone=a && clusterctl node uncordon n1']);
  t.deepEqual(commands({ labels: { zone: 'b' } }, zoned), ['clusterctl label node/n1 zone=a --overwrite']);
  t.deepEqual(commands({ taints: ['b', 'a'] }, plain), ['clusterctl node taint n1 a- b-']);
  t.deepEqual(commands({ condition: 'lost' }, plain), [undefined]);
  t.deepEqual(commands({ availability: 'cordoned', runtimes: ['runc'] }, plain), [undefined]);
});
test('a machine is not made another by a label', t => {
  t.deepEqual(changes(mended, { labels: { arch: 'arm64' } }), []);
});
test('what others have there is not mended', t => {
  const ports = [{ published: 80, target: 80, protocol: 'tcp', mode: 'host', allowFrom: [] }] as const;
  const [mine, theirs] = [service({ container: { ports } }), service({ app: 'edge', container: { ports } })];
  const blocked = findBlocked(snapshot({ nodes: [node('n1')], services: [mine, theirs], tasks: [task(theirs, 'n1')] }), mine, [{ slot: 0 }]);
  t.deepEqual(blocked === undefined ? undefined : mended(blocked, blocked.nodes), []);
});
test('only held back; only without a label; only closed', t => {
  t.deepEqual([changes(reopened, { condition: 'lost' }, plain), changes(reopened, { taints: ['a'] }, plain)], [['bring it back'], []]);
  t.deepEqual(changes(labelled, { taints: ['a'] }, plain), []);
  t.deepEqual(changes(labelled, {}, service({ placement: { require: rules } })), ['label it zone=a']);
  t.deepEqual(changes(opened, {}, service({ container: { devices: [{ hostPath: '/dev/fuse', target: '/dev/fuse', access: 'rwm' }] } })), ['start its agent with --device-paths /dev/fuse']);
  t.deepEqual(changes(opened, { hasDeadman: false }, service({ onDisconnect: { kind: 'exclusive', stopAfterMs: 30_000, replaceAfterMs: 70_000 } })), ['start its gantry-deadman']);
  t.deepEqual(changes(opened, { networkFault: 'network: no vxlan' }, plain), ['repair its network: it says "network: no vxlan"']);
});
