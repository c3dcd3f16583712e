import type { ExecutionContext, TestFn } from 'ava';
import type { IdMapping, RootfsSnapshotter } from '../../agent/snapshot/ports.ts';

export interface SnapshotterUnderTest {
  readonly snapshotter: RootfsSnapshotter;
  readonly mapping: IdMapping;
  /** Names of layers in the store, lowest first. */
  readonly layers: readonly string[];
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
