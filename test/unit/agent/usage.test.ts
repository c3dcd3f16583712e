import test from 'ava';
import { sampleOf } from '../../../agent/usage.ts';
import { service, task, T0 } from '../../support/builders.ts';

const one = task(service(), 'n1');
const usage = { task: one, attempt: 1, restarts: 0, cpuMicroseconds: 1, memoryBytes: 2, memoryLimitBytes: 3, processes: 4, oomKills: 5, ioReadBytes: 6, ioWriteBytes: 7 };
const SAMPLE = { node: one.node, task: one.id, atMs: T0, cpuMicroseconds: 1, memoryBytes: 2, memoryLimitBytes: 3, processes: 4, ioReadBytes: 6, ioWriteBytes: 7 };

test('what leaves the node, with the task\'s own view of its link', t => {
  t.deepEqual(sampleOf({ ...usage, link: { receivedBytes: 8, receivedPackets: 1, sentBytes: 9, sentPackets: 1 } }, one.node, T0), { ...SAMPLE, networkReceiveBytes: 8, networkTransmitBytes: 9 });
});
test('without a link nothing was received or sent', t => {
  t.deepEqual(sampleOf({ ...usage, link: undefined }, one.node, T0), { ...SAMPLE, networkReceiveBytes: 0, networkTransmitBytes: 0 });
});
