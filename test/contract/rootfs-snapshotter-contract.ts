import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, readdirSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext, TestFn } from 'ava';
import { diskAnswer } from '../../agent/disk-pressure.ts';
import type { IdMapping, RootfsSnapshotter } from '../../agent/snapshot/ports.ts';

const MEBIBYTE = 2 ** 20;

export interface SnapshotterUnderTest {
  readonly snapshotter: RootfsSnapshotter;
  readonly mapping: IdMapping;
  /** Names of layers in the store, lowest first. */
  readonly layers: readonly string[];
}

/** As the container's root user, in its root directory: the machine's own has no id there. */
function asRootOf(rootfsPath: string, { hostBase }: IdMapping, work: () => void): void {
  const before = process.cwd();
  process.chdir(rootfsPath);
  process.setegid?.(hostBase);
  process.seteuid?.(hostBase);
  try {
    work();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
    process.chdir(before);
  }
}

/** Without `etc`, which some drivers make before the runtime does. */
function namesIn(rootfsPath: string): readonly string[] {
  return readdirSync(rootfsPath).filter(name => name !== 'etc').sort();
}

/** The promises of RootfsSnapshotter, by number. `use` makes one, runs the body and takes it away. */
export function rootfsSnapshotterContract(test: TestFn, what: string, use: (t: ExecutionContext, body: (subject: SnapshotterUnderTest) => Promise<void>) => Promise<void>): void {
  const signal = new AbortController().signal;
  const fact = (title: string, body: (t: ExecutionContext, subject: SnapshotterUnderTest) => Promise<void>): void => {
    test.serial(`RootfsSnapshotter, ${what}: ${title}`, t => use(t, subject => body(t, subject)));
  };

  fact('1. prepare mounts, list and isMounted know it', async (t, { snapshotter, mapping, layers }) => {
    const { rootfsPath } = await snapshotter.prepare('web-1', layers, mapping, signal);
    t.true(rootfsPath.startsWith('/'));
    t.deepEqual(await snapshotter.list(), ['web-1']);
    t.true(await snapshotter.isMounted('web-1'));
    await snapshotter.remove('web-1');
  });
  fact('1. what a container writes is seen by no layer and no other container, and goes with it', async (t, { snapshotter, mapping, layers }) => {
    const one = await snapshotter.prepare('web-1', layers, mapping, signal);
    const other = await snapshotter.prepare('web-2', layers, mapping, signal);
    writeFileSync(path.join(one.rootfsPath, 'low'), 'changed');
    unlinkSync(path.join(one.rootfsPath, 'high'));
    t.deepEqual(namesIn(one.rootfsPath), ['dev', 'low', 'proc', 'sys']);
    t.is(readFileSync(path.join(other.rootfsPath, 'low'), 'utf8'), 'low');
    await snapshotter.remove('web-1');
    const again = await snapshotter.prepare('web-1', layers, mapping, signal);
    t.deepEqual(namesIn(again.rootfsPath), ['dev', 'high', 'low', 'proc', 'sys']);
    t.is(readFileSync(path.join(again.rootfsPath, 'low'), 'utf8'), 'low');
    for (const key of ['web-1', 'web-2']) await snapshotter.remove(key);
  });
  fact('2. root of the container passes to its root file system, other users of the machine do not; no device is one there', async (t, { snapshotter, mapping, layers }) => {
    const { rootfsPath } = await snapshotter.prepare('web-1', layers, mapping, signal);
    const { mode, uid, gid } = statSync(path.dirname(rootfsPath));
    t.deepEqual([mode & 0o7777, uid, gid], [0o710, 0, mapping.hostBase]);
    const mounted = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').filter(line => line.includes(` ${rootfsPath} `)).map(line => line.split(' ')[5]);
    t.regex(mounted.join(), /^rw,nodev/);
    await snapshotter.remove('web-1');
  });
  fact('2. ids show shifted by the user namespace', async (t, { snapshotter, mapping, layers }) => {
    const { rootfsPath } = await snapshotter.prepare('web-1', layers, mapping, signal);
    t.like(statSync(path.join(rootfsPath, 'low')), { uid: mapping.hostBase + 5, gid: mapping.hostBase + 6 });
    for (const name of ['.', 'dev', 'proc', 'sys', 'high']) t.like(statSync(path.join(rootfsPath, name)), { uid: mapping.hostBase, gid: mapping.hostBase }, name);
    await snapshotter.remove('web-1');
  });
  fact('what is written stays within the limit, where the driver has one', async (t, { snapshotter, mapping, layers }) => {
    const { rootfsPath } = await snapshotter.prepare('held-1', layers, mapping, signal);
    const isHeld = await snapshotter.limit('held-1', 2 * MEBIBYTE);
    t.is(isHeld, snapshotter.driver === 'btrfs');
    const write = (): void => { writeFileSync(path.join(rootfsPath, 'low'), Buffer.alloc(8 * MEBIBYTE, 1), { flush: true }); };
    if (isHeld) t.is(diskAnswer(t.throws(write)), 'the disk quota is used up');
    else t.notThrows(write);
    await snapshotter.remove('held-1');
    t.false(await snapshotter.limit('held-1', MEBIBYTE), 'nothing is there');
  });

  fact('many files are told from few', async (t, { snapshotter, mapping, layers }) => {
    const { rootfsPath } = await snapshotter.prepare('files-1', layers, mapping, signal);
    asRootOf(rootfsPath, mapping, () => {
      mkdirSync('many');
      for (let index = 0; index < 50; index += 1) writeFileSync(`many/${String(index)}`, '');
    });
    t.true(await snapshotter.holdsFiles('files-1', 51));
    t.false(await snapshotter.holdsFiles('files-1', 5_000));
    await snapshotter.remove('files-1');
    t.false(await snapshotter.holdsFiles('files-1', 1));
  });

  fact('writableBytes counts what was written, whole files, and nothing of the image', async (t, { snapshotter, mapping, layers }) => {
    const { rootfsPath } = await snapshotter.prepare('web-1', layers, mapping, signal);
    const before = await snapshotter.writableBytes('web-1');
    t.true(before < 100_000, String(before));
    // The kernel's clock of files has ticks of up to 10 ms; a container takes longer to start.
    await sleep(30);
    writeFileSync(path.join(rootfsPath, 'low'), randomBytes(1_000_000));
    const file = openSync(path.join(rootfsPath, 'low'), 'r');
    fsyncSync(file);
    closeSync(file);
    const after = await snapshotter.writableBytes('web-1');
    t.true(after - before >= 1_000_000 && after - before < 1_200_000, String(after - before));
    await snapshotter.remove('web-1');
    t.is(await snapshotter.writableBytes('web-1'), 0);
  });
  fact('many at once of one image are each their own', async (t, { snapshotter, mapping, layers }) => {
    const keys = Array.from({ length: 8 }, (_, index) => `web-${String(index)}`);
    await Promise.all(keys.map(key => snapshotter.prepare(key, layers, mapping, signal)));
    t.deepEqual(await snapshotter.list(), keys);
    await Promise.all(keys.map(key => snapshotter.remove(key)));
    t.deepEqual(await snapshotter.list(), []);
  });
  fact('3. after remove nothing is known of it, and the key is free again', async (t, { snapshotter, mapping, layers }) => {
    await snapshotter.prepare('web-1', layers, mapping, signal);
    await snapshotter.remove('web-1');
    t.deepEqual(await snapshotter.list(), []);
    t.false(await snapshotter.isMounted('web-1'));
    await snapshotter.prepare('web-1', layers, mapping, signal);
    await snapshotter.remove('web-1');
  });
  fact('3. removing what is not there is fine', async (t, { snapshotter }) => {
    await t.notThrowsAsync(snapshotter.remove('never-was'));
  });
  fact('4. a key that is no name is refused', async (t, { snapshotter, mapping, layers }) => {
    for (const key of ['', '..', '.', 'a/b', 'A', '-a', 'a'.repeat(64)]) {
      await t.throwsAsync(snapshotter.prepare(key, layers, mapping, signal), { instanceOf: RangeError }, key);
    }
    t.deepEqual(await snapshotter.list(), []);
  });
  fact('an aborted prepare leaves nothing', async (t, { snapshotter, mapping, layers }) => {
    await t.throwsAsync(snapshotter.prepare('web-1', layers, mapping, AbortSignal.abort(new Error('stop'))), { message: 'stop' });
    t.deepEqual(await snapshotter.list(), []);
  });
  fact('a layer that is not in the store is an error and leaves nothing', async (t, { snapshotter, mapping, layers }) => {
    await t.throwsAsync(snapshotter.prepare('web-1', [...layers, 'f'.repeat(64)], mapping, signal));
    t.deepEqual(await snapshotter.list(), []);
    t.false(await snapshotter.isMounted('web-1'));
  });
}
