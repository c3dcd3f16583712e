import test from 'ava';
import { fc } from '../../../support/property.ts';
import { classKey, eligibleRows } from '../../../../controller/schedule/eligible.ts';
import { nodeObstacle } from '../../../../controller/schedule/filters.ts';
import { NodeTable } from '../../../../controller/schedule/node-table.ts';
import { CLOSED_NODE_POLICY } from '#model/node.ts';
import { node, service, snapshot } from '../../../support/builders.ts';

const anyNode = fc.record({
  condition: fc.constantFrom('ready', 'ready', 'silent', 'lost'), availability: fc.constantFrom('active', 'active', 'cordoned', 'draining'),
  taints: fc.subarray(['spot', 'gpu']), runtimes: fc.constantFrom(['crun'], ['runc'], ['crun', 'runc']), cpus: fc.constantFrom('0-3', '0-1'),
  labels: fc.constantFrom({}, { tier: 'web' }, { tier: 'data' }), hugepageSizes: fc.constantFrom([], [2 ** 21], [2 ** 21, 2 ** 30]).map(bytes => ({ bytes })), hasDeadman: fc.boolean(), networkFault: fc.constantFrom('', '', 'no vxlan'),
  policy: fc.record({ bindPrefixes: fc.subarray(['/srv']), devicePaths: fc.subarray(['/dev/fuse']), devices: fc.constant([]), allowsPrivileged: fc.boolean() }),
});
const anyService = fc.record({
  tolerate: fc.subarray(['spot', 'gpu']), isWeb: fc.boolean(), runtime: fc.constantFrom('crun', 'runc'), hasCpuset: fc.boolean(), hasPages: fc.boolean(), hasBind: fc.boolean(), hasDevice: fc.boolean(), isPrivileged: fc.boolean(), isExclusive: fc.boolean(),
}).map(one => {
  const { security } = service().spec.container;
  return service({
    ...(one.isExclusive ? { onDisconnect: { kind: 'exclusive', stopAfterMs: 30_000, replaceAfterMs: 70_000 } } : {}),
    placement: { tolerate: one.tolerate, require: one.isWeb ? [{ label: 'tier', operator: '==', values: ['web'] }] : [] },
    container: {
      runtime: one.runtime, limits: { memoryBytes: 1, pids: 1, ...(one.hasCpuset ? { cpuset: '2' } : {}), ...(one.hasPages ? { hugepages: [{ pageBytes: 2 ** 30, bytes: 2 ** 30 }] } : {}) },
      volumes: one.hasBind ? [{ kind: 'bind', hostPath: '/srv/x', target: '/x', readOnly: true }] : [],
      devices: one.hasDevice ? [{ hostPath: '/dev/fuse', target: '/dev/fuse', access: 'rwm' }] : [],
      security: { ...security, profile: one.isPrivileged ? 'privileged' : 'baseline' },
    },
  });
});

test('property: the rows are those of the nodes on which no filter of nodes says no', t => {
  fc.assert(fc.property(fc.array(anyNode, { maxLength: 8 }), fc.array(anyService, { minLength: 1, maxLength: 3 }), (some, services) => {
    const nodes = some.map((options, index) => node(`n${String(index)}`, options));
    const table = new NodeTable(snapshot({ nodes }));
    for (const of of services) {
      t.deepEqual([...eligibleRows(table, of)], nodes.flatMap((one, row) => (nodeObstacle(one, of) === undefined ? [row] : [])));
    }
  }));
});

test('services that may go to the same nodes have one key, in whatever order they name things', t => {
  t.is(classKey(service({ name: 'a', placement: { tolerate: ['x', 'y'] } })), classKey(service({ name: 'b', placement: { tolerate: ['y', 'x'] } })));
  t.not(classKey(service()), classKey(service({ container: { runtime: 'runc' } })));
  t.is(eligibleRows(new NodeTable(snapshot({ nodes: [node('n1', { policy: CLOSED_NODE_POLICY })] })), service()).length, 1);
});
