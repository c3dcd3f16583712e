import test from 'ava';
import { StorageLoop } from '../../../agent/storage-loop.ts';
import { newRecord } from '../../../agent/task/record.ts';
import type { TaskRecord } from '../../../agent/task/record.ts';
import { container, MIB, service, task, taskId } from '../../support/builders.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { silentLogger } from '../../support/silent-logger.ts';

const GIB = 2 ** 30;

function record(name: string, storageBytes?: number): TaskRecord {
  const { limits } = container();
  const one = task(service(), 'n1', { id: taskId(name), container: container({ limits: { ...limits, ...(storageBytes === undefined ? {} : { storageBytes }) } }) });
  return { ...newRecord(one, 1, 'boot'), step: 'running' };
}

interface Disk {
  readonly bytes?: number;
  readonly hasQuota?: boolean;
  readonly freeFiles?: number;
  /** Of 100 GiB. */
  readonly freeBytes?: number;
  /** Whose root file systems hold many files. */
  readonly many?: readonly string[];
  /** A path of it cannot be reached from the host. */
  readonly isTooDeep?: boolean;
}

/** What is told in two looks. */
async function told(records: readonly TaskRecord[], { bytes = 0, hasQuota = false, freeFiles = 1_000, freeBytes = 50 * GIB, many = [], isTooDeep = false }: Disk): Promise<readonly string[]> {
  const clock = new FakeClock();
  const seen: string[] = [];
  const ending = new AbortController();
  const loop = new StorageLoop({
    snapshots: { writableBytes: () => (isTooDeep ? Promise.reject(Object.assign(new Error('lstat'), { code: 'ENAMETOOLONG' })) : Promise.resolve(bytes)), limit: () => Promise.resolve(hasQuota), holdsFiles: id => Promise.resolve(many.some(name => id.includes(taskId(name)))) },
    records: () => records, fileUse: () => Promise.resolve({ totalFiles: 1_000, freeFiles }), space: () => Promise.resolve({ totalBytes: 100 * GIB, freeBytes }), clock, log: silentLogger,
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
test('without a limit it may write far more', async t => { t.deepEqual(await told([record('ta')], { bytes: 2 * MIB }), []); });
test('23: without a limit and above a quarter of the disk', async t => {
  t.regex((await told([record('ta')], { bytes: 26 * GIB })).join(), new RegExp(`^${taskId('ta')} 1 its root file system holds 26Gi .* limits\\.storage may write 25Gi`));
});
test('23: the largest one, once the disk has less left than the node needs', async t => {
  t.regex((await told([record('ta')], { bytes: 2 * GIB, freeBytes: GIB })).join(), new RegExp(`^${taskId('ta')} 1 its root file system holds 2Gi .*, less than the 4Gi kept for the node`));
  t.deepEqual(await told([record('ta')], { bytes: MIB, freeBytes: GIB }), []);
  t.regex((await told([record('ta')], { freeBytes: GIB, isTooDeep: true })).join(), /more than can be counted/);
  t.deepEqual(await told([record('ta')], { isTooDeep: true }), []);
});
test('23: a fast writer is told within two looks at the disk, long before it would be counted by the clock', async t => {
  const clock = new FakeClock();
  const seen: number[] = [];
  let bytes = 0;
  let counts = 0;
  const ending = new AbortController();
  const run = new StorageLoop({
    snapshots: { writableBytes: () => { counts += 1; return Promise.resolve(bytes); }, limit: () => Promise.resolve(false), holdsFiles: () => Promise.resolve(false) },
    records: () => [record('ta', 64 * MIB)], fileUse: () => Promise.resolve({ totalFiles: 0, freeFiles: 0 }), space: () => Promise.resolve({ totalBytes: 100 * GIB, freeBytes: 50 * GIB - bytes }), clock, log: silentLogger,
    onExceeded: () => { seen.push(bytes); },
  }).run(ending.signal);
  await clock.advance(1_000);
  t.is(counts, 1, 'nothing is written, so nothing is counted');
  for (let step = 0; step < 10 && seen.length === 0; step += 1) {
    bytes += 20 * MIB;
    await clock.advance(100);
  }
  t.deepEqual(seen, [80 * MIB]);
  ending.abort();
  await run;
});
test('what does not run is not looked at', async t => { t.deepEqual(await told([{ ...record('ta', MIB), step: 'ended' }], { bytes: 2 * MIB }), []); });
test('the one with many files, once inodes are scarce', async t => {
  t.regex((await told([record('ta'), record('tb')], { freeFiles: 100, many: ['tb'] })).join(), new RegExp(`^${taskId('tb')} 1 .* more than 100 files`));
  t.deepEqual(await told([record('ta'), record('tb')], { freeFiles: 500, many: ['tb'] }), []);
});
