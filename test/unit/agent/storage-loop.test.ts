import test from 'ava';
import { StorageLoop } from '../../../agent/storage-loop.ts';
import { newRecord } from '../../../agent/task/record.ts';
import type { TaskRecord } from '../../../agent/task/record.ts';
import { container, MIB, service, task, taskId } from '../../support/builders.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { silentLogger } from '../../support/silent-logger.ts';

function record(name: string, storageBytes?: number): TaskRecord {
  const { limits } = container();
  const one = task(service(), 'n1', { id: taskId(name), container: container({ limits: { ...limits, ...(storageBytes === undefined ? {} : { storageBytes }) } }) });
  return { ...newRecord(one, 1, 'boot'), step: 'running' };
}

interface Disk {
  readonly bytes?: number;
  readonly hasQuota?: boolean;
  readonly freeFiles?: number;
  /** Whose root file systems hold many files. */
  readonly many?: readonly string[];
  /** A path of it cannot be reached from the host. */
  readonly isTooDeep?: boolean;
}

/** What is told in two looks. */
async function told(records: readonly TaskRecord[], { bytes = 0, hasQuota = false, freeFiles = 1_000, many = [], isTooDeep = false }: Disk): Promise<readonly string[]> {
  const clock = new FakeClock();
  const seen: string[] = [];
  const ending = new AbortController();
  const loop = new StorageLoop({
    snapshots: { writableBytes: () => (isTooDeep ? Promise.reject(Object.assign(new Error('lstat'), { code: 'ENAMETOOLONG' })) : Promise.resolve(bytes)), limit: () => Promise.resolve(hasQuota), holdsFiles: id => Promise.resolve(many.some(name => id.includes(taskId(name)))) },
    records: () => records, fileUse: () => Promise.resolve({ totalFiles: 1_000, freeFiles }), clock, log: silentLogger,
    onExceeded: (id, attempt, message) => { seen.push(`${id} ${String(attempt)} ${message}`); },
  });
  const run = loop.run(ending.signal);
  await clock.advance(2_000);
  ending.abort();
  await run;
  return seen;
}

test('above its limit, without a quota', async t => {
  t.deepEqual(await told([record('ta', MIB)], { bytes: 2 * MIB }), [`${taskId('ta')} 1 its root file system holds 2Mi of what it wrote, the storage limit is 1Mi`]);
});
test('each one above its limit is told, and one whose paths are too long to be counted', async t => {
  t.is((await told([record('ta', MIB), record('tb', MIB)], { bytes: 2 * MIB })).length, 2);
  t.regex((await told([record('ta', MIB)], { isTooDeep: true })).join(), /too long to be counted/);
});
test('at its limit', async t => { t.deepEqual(await told([record('ta', MIB)], { bytes: MIB }), []); });
test('a driver with a quota holds it by itself', async t => { t.deepEqual(await told([record('ta', MIB)], { bytes: 2 * MIB, hasQuota: true }), []); });
test('without a limit nothing is counted', async t => { t.deepEqual(await told([record('ta')], { bytes: 2 * MIB }), []); });
test('what does not run is not looked at', async t => { t.deepEqual(await told([{ ...record('ta', MIB), step: 'ended' }], { bytes: 2 * MIB }), []); });
test('the one with many files, once inodes are scarce', async t => {
  t.regex((await told([record('ta'), record('tb')], { freeFiles: 100, many: ['tb'] })).join(), new RegExp(`^${taskId('tb')} 1 .* more than 100 files`));
  t.deepEqual(await told([record('ta'), record('tb')], { freeFiles: 500, many: ['tb'] }), []);
});
