import test from 'ava';
import type { UsageSample } from '#model/usage.ts';
import { statsItem, statsTable } from '../../../../cli/format/stats.ts';
import { MIB, T0 } from '../../../support/builders.ts';
import { taskView, WEB } from '../../../support/cluster-view.ts';

const view = taskView(WEB, 0, 'n1');
const sample: UsageSample = {
  node: view.task.node, task: view.task.id, atMs: T0, cpuMicroseconds: 1, memoryBytes: 8 * MIB, memoryLimitBytes: 32 * MIB, processes: 2,
  networkReceiveBytes: 1_450, networkTransmitBytes: 0, ioReadBytes: 2_000_000, ioWriteBytes: 12,
};

test('the columns and units are docker\'s; what is not known is --', t => {
  const { head, rows } = statsTable([{ view, usage: { sample, milliCpu: 1_234 } }, { view, usage: { sample: { ...sample, memoryLimitBytes: 0 } } }, { view }]);
  t.deepEqual(head, ['TASK ID', 'NAME', 'NODE', 'CPU %', 'MEM USAGE / LIMIT', 'MEM %', 'NET I/O', 'BLOCK I/O', 'PIDS']);
  t.deepEqual(rows.map(row => row.slice(3)), [
    ['123.40%', '8MiB / 32MiB', '25.00%', '1.45kB / 0B', '2MB / 12B', '2'],
    ['--', '8MiB / --', '--', '1.45kB / 0B', '2MB / 12B', '2'],
    ['--', '-- / --', '--', '-- / --', '-- / --', '--'],
  ]);
});

test('an item has the same fields, measured or not', t => {
  const measured = statsItem({ view, usage: { sample, milliCpu: 7 } });
  const silent = statsItem({ view });
  t.deepEqual(Object.keys(measured).toSorted(), Object.keys(silent).toSorted());
  t.like(measured, { id: view.task.id, milliCpu: 7, memoryBytes: 8 * MIB, ioWriteBytes: 12, state: 'running' });
  t.like(silent, { id: view.task.id, milliCpu: null, memoryBytes: null, ioWriteBytes: null });
});
