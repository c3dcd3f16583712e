import test from 'ava';
import type { ClusterUsage } from '#model/usage.ts';
import { nodeRows, nodeUsageItem, nodeUsageTable, taskRows, taskUsageItem, taskUsageTable } from '../../../../cli/format/usage.ts';
import { formatTable } from '../../../../cli/format/table.ts';
import { MIB, T0 } from '../../../support/builders.ts';
import { clusterView } from '../../../support/cluster-view.ts';

const VIEW = clusterView();
const [db, web0] = VIEW.tasks;

function usage(...of: readonly { readonly of: typeof db; readonly milliCpu?: number; readonly memoryLimitBytes?: number }[]): ClusterUsage {
  return {
    isNatsConnected: true,
    tasks: of.flatMap(({ of: view, milliCpu, memoryLimitBytes }) => (view === undefined ? [] : [{
      sample: { node: view.task.node, task: view.task.id, atMs: T0, cpuMicroseconds: 7, memoryBytes: 8 * MIB, memoryLimitBytes: memoryLimitBytes ?? 32 * MIB, processes: 3, networkReceiveBytes: 1_446, networkTransmitBytes: 500, ioReadBytes: 4_096, ioWriteBytes: 0 },
      ...(milliCpu === undefined ? {} : { milliCpu }),
    }])),
  };
}

test('tasks as a person reads them: 100 % is one core, what is not known is -', t => {
  const rows = taskRows(VIEW, usage({ of: db, milliCpu: 1_234 }, { of: web0, memoryLimitBytes: 0 }));
  t.is(formatTable(taskUsageTable(rows)), [
    'TASK           NAME          SERVICE    NODE   CPU %     MEM USAGE / LIMIT   MEM %    NET I/O         PIDS',
    'dbaaaaaaaaaa   db-0          shop/db    n1     123.40%   8Mi / 32Mi          25.00%   1.45kB / 500B   3',
    'webaaaaaaaaa   web-0-webaa   shop/web   n1     -         8Mi / -             -        1.45kB / 500B   3',
    '',
  ].join('\n'));
});

test('a node has the sums of its running tasks; with one of them unheard they are not known', t => {
  const rows = nodeRows(VIEW, usage({ of: db, milliCpu: 1_000 }, { of: web0, milliCpu: 1_000 }));
  t.is(formatTable(nodeUsageTable(rows)), [
    'NODE   TASKS   CPU   CPU %    MEM USAGE / CAPACITY   MEM %   NET I/O        PIDS',
    'n1     2       2     50.00%   16Mi / 4Gi             0.39%   2.89kB / 1kB   6',
    'n2     1       -     -        - / 4Gi                -       -              -',
    '',
  ].join('\n'));
  t.like(nodeRows({ ...VIEW, tasks: [] }, usage())[0], { taskCount: 0, milliCpu: 0, memoryBytes: 0, processes: 0, networkReceiveBytes: 0, networkTransmitBytes: 0 });
});

test('JSON: null is not known, or no limit', t => {
  const found = usage({ of: db, milliCpu: 5 }, { of: web0, memoryLimitBytes: 0 });
  const items = taskRows(VIEW, found).map(taskUsageItem);
  t.deepEqual(items[0], {
    id: db?.task.id, name: 'db-0', namespace: 'default', app: 'shop', service: 'db', node: 'n1', milliCpu: 5, memoryBytes: 8 * MIB, memoryLimitBytes: 32 * MIB,
    processes: 3, networkReceiveBytes: 1_446, networkTransmitBytes: 500, ioReadBytes: 4_096, ioWriteBytes: 0, sampledAt: '2026-01-01T00:00:00.000Z',
  });
  t.like(items[1], { milliCpu: null, memoryLimitBytes: null });
  t.deepEqual(nodeRows(VIEW, found).map(nodeUsageItem), [
    { name: 'n1', tasks: 2, milliCpu: null, memoryBytes: 16 * MIB, processes: 6, networkReceiveBytes: 2_892, networkTransmitBytes: 1_000, capacity: { milliCpu: 4_000, memoryBytes: 4_096 * MIB, pids: 32_768 } },
    { name: 'n2', tasks: 1, milliCpu: null, memoryBytes: null, processes: null, networkReceiveBytes: null, networkTransmitBytes: null, capacity: { milliCpu: 4_000, memoryBytes: 4_096 * MIB, pids: 32_768 } },
  ]);
});
