import test from 'ava';
import { NodeTable } from '../../../../controller/schedule/node-table.ts';
import { CLOSED_NODE_POLICY } from '#model/node.ts';
import { failed, node, resources, service, snapshot, status, task, taskId } from '../../../support/builders.ts';

const PORT = { published: 53, target: 53, protocol: 'udp', mode: 'host', allowFrom: [] } as const;
const gpu = { ...CLOSED_NODE_POLICY, devices: [{ name: 'gpu', count: 2 }] };
const web = service({ container: { requests: resources(100, 10), ports: [PORT], deviceRequests: [{ name: 'gpu', count: 1 }] } });
const [runs, stops, ended] = [task(web, 'n1'), task(web, 'n1', { slot: 1, desired: 'stop' }), task(web, 'n1', { slot: 2 })] as const;
const nodes = [node('n2'), node('n1', { policy: gpu, labels: { zone: 'a' } })];
const state = snapshot({ nodes, services: [web], tasks: [runs, stops, ended], statuses: [status(runs), failed(ended)] });

/** All that a table says of a row. */
function row(table: NodeTable, at: number): object {
  return {
    node: table.node(at).id, free: table.free(at), wanted: [table.wantedCpu[at], table.wantedMemory[at]], ports: [...table.hostPorts[at] ?? []], devices: structuredClone([...table.devices[at] ?? []]),
  };
}

test('rows are in order of ids; unfinished tasks take room, those that are to stop are not wanted', t => {
  const table = new NodeTable(state);
  t.deepEqual(row(table, 0), {
    node: 'n1', free: { ...resources(3_800, 4_076), diskBytes: Infinity, pids: 32_768 }, wanted: [100, resources(0, 10).memoryBytes], ports: ['udp/53'], devices: [['gpu', [0, 0]]],
  });
  t.like(row(table, 1), { node: 'n2', devices: [] });
  t.deepEqual([table.rowOf(runs.node), table.size, table.hasDevices], [0, 2, true]);
  t.throws(() => table.node(2), { instanceOf: RangeError });
});

test('what a call takes is as it was after the release, and after it was given back', t => {
  const table = new NodeTable(state);
  const before = row(table, 0);
  const small = { container: { ...web.spec.container, deviceRequests: [], ports: [{ ...PORT, published: 54 }] } };
  const units = table.take(0, small);
  t.notDeepEqual(row(table, 0), before);
  table.give(0, small, units);
  t.deepEqual(row(table, 0), before);
  table.give(0, runs, table.unitsOf(runs.id));
  t.like(row(table, 0), { devices: [['gpu', [1_000, 0]]] });
  table.release();
  t.deepEqual(row(table, 0), before);
});

test('refreshed with what changed it says what a new one says', t => {
  const table = new NodeTable(state);
  table.mask('x', () => true);
  const more = task(web, 'n2', { slot: 3, id: taskId('tx') });
  const later = snapshot({ nodes, services: [web], tasks: [runs, more], statuses: [status(runs)] });
  table.refresh(later, { nodes: [runs.node, more.node], services: [web.id] });
  t.deepEqual([row(table, 0), row(table, 1)], [row(new NodeTable(later), 0), row(new NodeTable(later), 1)]);
  const changed = snapshot({ nodes: [node('n3'), node('n1', { taints: ['spot'] })], services: [web], tasks: [runs] });
  table.refresh(changed, { nodes: [runs.node], services: [] });
  t.deepEqual(table.nodes.map(one => [one.id, one.taints.length] as const), [['n1', 1], ['n3', 0]] as object[]);
  t.deepEqual([...table.mask('x', one => one.id === 'n3')], [0, 1], 'masks are made anew');
});

test('a new record of a node leaves the rows of others as they are', t => {
  const table = new NodeTable(state);
  const others = table.hostPorts[1];
  const n1 = node('n1', { policy: gpu, labels: { zone: 'a' }, taints: ['spot'] });
  const changed = snapshot({ nodes: [node('n2'), n1], services: [web], tasks: [runs] });
  table.refresh(changed, { nodes: [runs.node], services: [] });
  t.is(table.hostPorts[1], others);
  t.deepEqual([row(table, 0), row(table, 1)], [row(new NodeTable(changed), 0), row(new NodeTable(changed), 1)]);
  t.deepEqual(table.node(0).taints, ['spot']);
});

test('labels are numbered by value; what is cached is made once', t => {
  const table = new NodeTable(state);
  t.deepEqual(table.buckets('zone'), { bucketOf: Int32Array.of(0, 1), size: 2 });
  t.is(table.list('x', () => Int32Array.of(1)), table.list('x', () => Int32Array.of(2)));
  const column = { bucketOf: Int32Array.of(0), rank: Float64Array.of(0) };
  t.is(table.column('x', () => column), column);
});

test('units that a task has are those that its record names', t => {
  const named = task(web, 'n1', { deviceUnits: [{ name: 'gpu', units: [1] }] });
  const table = new NodeTable(snapshot({ nodes, services: [web], tasks: [named] }));
  t.deepEqual(table.devices[0]?.get('gpu'), [1_000, 0]);
  t.deepEqual(table.unitsOf(named.id), [{ name: 'gpu', units: [1] }]);
});

test('claims follow their services', t => {
  const shy = service({ name: 'shy', placement: { avoid: [{ service: 'web', label: 'node' }] } });
  const table = new NodeTable(state);
  table.refresh(snapshot({ nodes, services: [web, shy], tasks: [] }), { nodes: [], services: [shy.id] });
  t.deepEqual(table.claims, [{ kind: 'avoid', by: shy.id, against: web.id, label: 'node' }]);
  table.refresh(state, { nodes: [], services: [shy.id] });
  t.deepEqual(table.claims, []);
});

test('the shape of free units follows what is taken, given back and released', t => {
  const gpu = node('n1', { policy: { ...CLOSED_NODE_POLICY, devices: [{ name: 'gpu', count: 2 }] } });
  const table = new NodeTable(snapshot({ nodes: [gpu] }));
  const { spec } = service({ container: { deviceRequests: [{ name: 'gpu', count: 1, milli: 250 }] } });
  const units = () => table.shapes(0)[0]?.shape.units;
  t.deepEqual(units(), [1_000, 1_000]);
  const taken = table.take(0, spec);
  t.deepEqual(units(), [750, 1_000]);
  table.give(0, spec, taken);
  t.deepEqual(units(), [1_000, 1_000]);
  table.take(0, spec);
  t.deepEqual(units(), [750, 1_000]);
  table.release();
  t.deepEqual(units(), [1_000, 1_000]);
});
