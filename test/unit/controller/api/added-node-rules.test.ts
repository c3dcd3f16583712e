import test from 'ava';
import type { AddedNode } from '#model/cluster-plan.ts';
import { parseNodeId } from '#model/ids.ts';
import { checkAddedNode } from '../../../../controller/api/added-node-rules.ts';

const GOOD: AddedNode = {
  name: parseNodeId('n9'), capacity: { milliCpu: 1, memoryBytes: 1, diskBytes: 1, pids: 1 }, labels: new Map([['zone', 'b']]), taints: ['spot'], runtimes: [],
  devices: [{ name: 'nvidia.com/gpu', count: 1_024 }],
};

test('a node that may be is not complained about', t => {
  t.deepEqual(checkAddedNode(GOOD), []);
  t.deepEqual(checkAddedNode({ ...GOOD, capacity: { milliCpu: 1, memoryBytes: 1 }, devices: [] }), []);
});

const refused = test.macro({
  exec(t, change: Partial<AddedNode>, part: string, message: RegExp) {
    const violations = checkAddedNode({ ...GOOD, ...change });
    t.deepEqual(violations.map(violation => violation.path), [`added_nodes.n9.${part}`]);
    t.regex(violations[0]?.message ?? '', message);
  },
  title: (name = '') => `refused: ${name}`,
});

test('no cpu', refused, { capacity: { milliCpu: 0, memoryBytes: 1 } }, 'capacity', /more than nothing/);
test('no disk', refused, { capacity: { milliCpu: 1, memoryBytes: 1, diskBytes: 0 } }, 'capacity', /more than nothing/);
test('part of a process', refused, { capacity: { milliCpu: 1, memoryBytes: 1, pids: 0.5 } }, 'capacity', /more than nothing/);
test('a device without a name', refused, { devices: [{ name: 'GPU', count: 1 }] }, 'devices', /'GPU': a device is named like/);
test('no unit of a device', refused, { devices: [{ name: 'gpu', count: 0 }] }, 'devices', /1 to 1024 units/);
test('too many units', refused, { devices: [{ name: 'gpu', count: 1_025 }] }, 'devices', /1 to 1024 units/);
test('a taint that is none', refused, { taints: ['Spot!'] }, 'taints', /'Spot!' is not an RFC 1123 label/);
test('a label that is none', refused, { labels: new Map([['-', 'x']]) }, 'labels', /label name "-"/);
test('a label of two lines', refused, { labels: new Map([['zone', 'a\nb']]) }, 'labels', /one line/);
