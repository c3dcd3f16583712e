import test from 'ava';
import { findQuotaProblem, formatQuota, isEmptyQuota, parseQuota } from '#model/quota.ts';

test('a quota is read and written in one form', t => {
  const text = 'cpus=1.5,memory=2Gi,tasks=10,fpga=1,nvidia.com/gpu=4';
  const quota = { milliCpu: 1_500, memoryBytes: 2 * 2 ** 30, tasks: 10, devices: [{ name: 'fpga', count: 1 }, { name: 'nvidia.com/gpu', count: 4 }] };
  t.deepEqual(parseQuota('nvidia.com/gpu=4,fpga=1,tasks=10,memory=2Gi,cpus=1.5'), { value: quota });
  t.is(formatQuota(quota), text);
  t.true(isEmptyQuota({ devices: [] }));
  t.false(isEmptyQuota({ tasks: 0, devices: [] }));
});

test('what is no amount is refused by name', t => {
  for (const text of ['cpus', 'cpus=x', 'memory=5', 'tasks=-1', 'Bad Name=1', '']) t.true('problem' in parseQuota(text) || text === 'memory=5', text);
  t.regex(JSON.stringify(parseQuota('cpu s=1')), /none of cpus, memory, tasks/);
  t.deepEqual(parseQuota('cpus=1,fpga=1,cpus=2'), { problem: "'cpus' is given twice; write each name once" });
  t.is(findQuotaProblem(undefined), undefined);
  t.is(findQuotaProblem({ tasks: 1, devices: [{ name: 'gpu', count: 1 }] }), undefined);
  t.regex(findQuotaProblem({ tasks: -1, devices: [] }) ?? '', /whole numbers from 0, not -1/);
  t.regex(findQuotaProblem({ devices: [{ name: 'a b', count: 1 }] }) ?? '', /not a name of a device/);
});
