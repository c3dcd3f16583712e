/** The rules of controller/store/ports.ts, by number, for any Store. */
import type { ExecutionContext, TestFn } from 'ava';
import { AmbiguousWriteError, CompactedError } from '../../controller/store/ports.ts';
import type { Operation, Store, StoreBatch, StoreChange } from '../../controller/store/ports.ts';
import { isClusterError } from '#model/errors.ts';

/** One store of a test, and what a test does to its server. `root` is a prefix that no other test uses. */
export interface StoreUnderTest {
  readonly root: string;
  connect(): Store;
  compact(etcdRevision: number): Promise<void>;
  /** Makes the server unreachable for all connections of this test, and reachable again. */
  stopServer(): Promise<void>;
  startServer(): Promise<void>;
  /** Lets time pass for leases. */
  pass(durationMs: number): Promise<void>;
}

export interface StoreContractOptions {
  readonly name: string;
  readonly make: () => Promise<StoreUnderTest>;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array | undefined): string | undefined => (value === undefined ? undefined : new TextDecoder().decode(value));
const put = (key: string, value = 'v'): Operation => ({ kind: 'put', key, value: bytes(value) });
const keyOf = (change: StoreChange): string => (change.kind === 'put' ? change.entry.key : change.key);

/** Changes after `afterRevision` until `isEnough` holds. */
export async function collect(store: Store, prefix: string, afterRevision: number, isEnough: (batches: readonly StoreBatch[]) => boolean): Promise<readonly StoreBatch[]> {
  const controller = new AbortController();
  const batches: StoreBatch[] = [];
  for await (const batch of store.watch(prefix, afterRevision, AbortSignal.any([controller.signal, AbortSignal.timeout(30_000)]))) {
    batches.push(batch);
    if (isEnough(batches)) {
      break;
    }
  }
  controller.abort();
  return batches;
}

export const changesIn = (batches: readonly StoreBatch[]): number => batches.reduce((sum, batch) => sum + batch.changes.length, 0);

export function storeContract(test: TestFn, { name, make }: StoreContractOptions): void {
  const run = (title: string, body: (t: ExecutionContext, under: StoreUnderTest, store: Store) => Promise<void>): void => {
    test.serial(`${name}: ${title}`, async t => {
      const under = await make();
      const store = under.connect();
      try {
        await body(t, under, store);
      } finally {
        store.close();
      }
    });
  };

  run('1 a transaction raises the revision by one for all its keys', async (t, { root }, store) => {
    const first = await store.transact([], [put(`${root}a`), put(`${root}b`)]);
    const entries = (await store.list(root)).entries;
    t.is(first.kind, 'committed');
    t.deepEqual(entries.map(entry => entry.modRevision), Array(2).fill(first.kind === 'committed' ? first.etcdRevision : 0));
    const second = await store.transact([], [put(`${root}a`, 'w')]);
    const entry = await store.get(`${root}a`);
    t.is(text(entry?.value), 'w');
    t.is(entry?.createRevision, entries[0]?.createRevision);
    t.is(entry?.modRevision, second.kind === 'committed' ? second.etcdRevision : 0);
    t.is(await store.get(`${root}none`), undefined);
  });

  run('1 keys are listed as the entries are, without their values', async (t, { root }, store) => {
    await store.transact([], [put(`${root}a/1`), put(`${root}b/1`)]);
    await store.transact([], [put(`${root}a/2`), put(`${root}b/1`, 'w')]);
    const { entries } = await store.list([`${root}a/`, `${root}b/`]);
    t.is(entries.length, 3);
    t.deepEqual((await store.listKeys([`${root}a/`, `${root}b/`])).keys, entries.map(({ value: _, ...key }) => key));
    t.deepEqual((await store.listKeys(`${root}none`)).keys, []);
  });

  run('2 a compare that fails writes nothing and names its key', async (t, { root }, store) => {
    await store.transact([], [put(`${root}a`)]);
    const outcome = await store.transact(
      [{ kind: 'create-revision', key: `${root}a`, revision: 0 }, { kind: 'mod-revision', key: `${root}b`, revision: 0 }],
      [put(`${root}b`)],
    );
    t.like(outcome, { kind: 'refused', failed: [`${root}a`] });
    t.is(await store.get(`${root}b`), undefined);
  });

  run('2 compares on both revisions hold when they are right', async (t, { root }, store) => {
    await store.transact([], [put(`${root}a`)]);
    await store.transact([], [put(`${root}a`, 'w')]);
    const entry = await store.get(`${root}a`);
    const outcome = await store.transact([
      { kind: 'create-revision', key: `${root}a`, revision: entry?.createRevision ?? -1 },
      { kind: 'mod-revision', key: `${root}a`, revision: entry?.modRevision ?? -1 },
    ], [{ kind: 'delete', key: `${root}a` }]);
    t.is(outcome.kind, 'committed');
    t.is(await store.get(`${root}a`), undefined);
  });

  run('2 an unreachable server: reads are UNAVAILABLE, writes UNAVAILABLE or ambiguous, and both work again afterwards', async (t, under, store) => {
    const { root } = under;
    await store.transact([], [put(`${root}a`)]);
    await under.stopServer();
    const read = await t.throwsAsync(store.get(`${root}a`));
    const write = await t.throwsAsync(store.transact([], [put(`${root}b`)]));
    t.true(isClusterError(read, 'UNAVAILABLE'));
    t.true(isClusterError(write, 'UNAVAILABLE') || write instanceof AmbiguousWriteError);
    await under.startServer();
    t.is(text((await store.get(`${root}a`))?.value), 'v');
  });

  run('3 120 operations land, 121 are refused', async (t, { root }, store) => {
    const operations = Array.from({ length: 121 }, (_, index) => put(`${root}${String(index)}`));
    t.is((await store.transact([], operations.slice(1))).kind, 'committed');
    await t.throwsAsync(store.transact([], operations), { code: 'FAILED_PRECONDITION' });
  });

  run('3 too many bytes are refused, and the next good write lands', async (t, { root }, store) => {
    const big = { kind: 'put', key: `${root}big`, value: new Uint8Array(2 * 1024 * 1024) } as const;
    for (let times = 0; times < 4; times += 1) {
      await t.throwsAsync(store.transact([], [big]), { code: 'FAILED_PRECONDITION' });
    }
    t.is((await store.transact([], [put(`${root}good`)])).kind, 'committed');
    t.is(await store.get(`${root}big`), undefined);
  });

  run('a list is sorted, exact about its prefixes, and pinned to one revision', async (t, { root }, store) => {
    await store.transact([], [put(`${root}b/2`), put(`${root}a/1`), put(`${root}b/1`), put(`${root}c/1`)]);
    const { etcdRevision, entries } = await store.list([`${root}b/`, `${root}a/`]);
    t.deepEqual(entries.map(entry => entry.key), [`${root}a/1`, `${root}b/1`, `${root}b/2`]);
    t.is(etcdRevision, Math.max(...entries.map(entry => entry.modRevision)));
  });

  run('a list longer than a page is whole', async (t, { root }, store) => {
    for (let start = 0; start < 2_100; start += 105) {
      await store.transact([], Array.from({ length: 105 }, (_, index) => put(`${root}${String(start + index).padStart(5, '0')}`)));
    }
    const { entries } = await store.list(root);
    t.is(entries.length, 2_100);
    t.is(entries.at(-1)?.key, `${root}02099`);
  });

  run('4 a watch yields every change once, in order, whole transactions together', async (t, { root }, store) => {
    const { etcdRevision } = await store.list(root);
    await store.transact([], [put(`${root}a`), put(`${root}b`)]);
    await store.transact([], [{ kind: 'delete', key: `${root}a` }, put(`${root}c`)]);
    const batches = await collect(store, root, etcdRevision, seen => changesIn(seen) >= 4);
    const changes = batches.flatMap(batch => batch.changes);
    t.deepEqual(changes.map(change => [change.kind, keyOf(change)]), [['put', `${root}a`], ['put', `${root}b`], ['delete', `${root}a`], ['put', `${root}c`]]);
    t.is(batches.at(-1)?.etcdRevision, etcdRevision + 2);
  });

  run('4 a watch goes on after an outage without loss or repeat', async (t, under, store) => {
    const { root } = under;
    const { etcdRevision } = await store.list(root);
    const watched = collect(store, root, etcdRevision, seen => changesIn(seen) >= 40);
    for (let index = 0; index < 20; index += 1) {
      await store.transact([], [put(`${root}${String(index)}`)]);
    }
    await under.stopServer();
    await under.startServer();
    for (let index = 20; index < 40; index += 1) {
      await store.transact([], [put(`${root}${String(index)}`)]);
    }
    const changes = (await watched).flatMap(batch => batch.changes);
    t.deepEqual(changes.map(keyOf), Array.from({ length: 40 }, (_, index) => `${root}${String(index)}`));
  });

  run('4 a watch past compaction throws CompactedError', async (t, under, store) => {
    const { root } = under;
    const { etcdRevision } = await store.list(root);
    for (let index = 0; index < 5; index += 1) {
      await store.transact([], [put(`${root}a`, String(index))]);
    }
    await under.compact(etcdRevision + 4);
    const error = await t.throwsAsync(collect(store, root, etcdRevision, () => false), { instanceOf: CompactedError });
    t.is(error.compactRevision, etcdRevision + 4);
  });

  run('4 an aborted watch throws its reason', async (t, { root }, store) => {
    const controller = new AbortController();
    const iterator = store.watch(root, 1_000_000_000, controller.signal)[Symbol.asyncIterator]();
    const next = iterator.next();
    controller.abort(new Error('enough'));
    await t.throwsAsync(async () => { await next; }, { message: 'enough' });
  });

  run('5 a lease that is renewed keeps its key; revoked, it takes it along', async (t, { root }, store) => {
    const leaseId = await store.grantLease(5_000);
    await store.transact([], [{ kind: 'put', key: `${root}leased`, value: bytes('x'), leaseId }]);
    await store.renewLease(leaseId);
    t.is(text((await store.get(`${root}leased`))?.value), 'x');
    await store.revokeLease(leaseId);
    t.is(await store.get(`${root}leased`), undefined);
    t.true(isClusterError(await t.throwsAsync(store.renewLease(leaseId)), 'NOT_FOUND'));
    await t.notThrowsAsync(store.revokeLease(leaseId));
  });

  run('5 a put under a lease that is gone is NOT_FOUND and writes nothing', async (t, { root }, store) => {
    const leaseId = await store.grantLease(5_000);
    await store.revokeLease(leaseId);
    const error = await t.throwsAsync(store.transact([], [{ kind: 'put', key: `${root}leased`, value: bytes('x'), leaseId }]));
    t.true(isClusterError(error, 'NOT_FOUND'));
    t.is(await store.get(`${root}leased`), undefined);
  });

  run('5 a lease nobody renews ends, and the watch tells', async (t, under, store) => {
    const { root } = under;
    const leaseId = await store.grantLease(1_000);
    const outcome = await store.transact([], [{ kind: 'put', key: `${root}leased`, value: bytes('x'), leaseId }]);
    const watched = collect(store, root, outcome.kind === 'committed' ? outcome.etcdRevision : 0, seen => seen.length === 1);
    await under.pass(3_000);
    t.like((await watched)[0]?.changes, [{ kind: 'delete', key: `${root}leased` }]);
  });
}
