import test from 'ava';
import type { ExecutionContext } from 'ava';
import { setImmediate as turn } from 'node:timers/promises';
import { encodeTask } from '../../../../controller/store/records.ts';
import { buildKey } from '../../../../controller/store/keys.ts';
import type { Operation } from '../../../../controller/store/ports.ts';
import type { ClusterChange } from '../../../../controller/store/snapshot.ts';
import { ClusterWatch } from '../../../../controller/store/watch-loop.ts';
import { service, task, taskId } from '../../../support/builders.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';
import { MemoryEtcd } from '../../../support/memory-store.ts';
import type { MemoryStore } from '../../../support/memory-store.ts';
import { silentLogger } from '../../../support/silent-logger.ts';

const RELIST_MS = 5_000;
/** After this the first retry is over, and no list of its own is due yet. */
const RETRIED_MS = 100;
const web = service();
const putTask = (id: string): Operation => ({ kind: 'put', key: buildKey({ kind: 'task', id: taskId(id) }), value: encodeTask(task(web, 'n1', { id: taskId(id) })) });
const removeTask = (id: string): Operation => ({ kind: 'delete', key: buildKey({ kind: 'task', id: taskId(id) }) });

interface Running {
  readonly clock: FakeClock;
  readonly etcd: MemoryEtcd;
  readonly store: MemoryStore;
  readonly watch: ClusterWatch;
  readonly signal: AbortSignal;
}

function watching(title: string, body: (t: ExecutionContext, running: Running) => Promise<void>): void {
  test(title, async t => {
    const clock = new FakeClock();
    const etcd = new MemoryEtcd(clock);
    const store = etcd.connect();
    const watch = new ClusterWatch({ store, clock, logger: silentLogger, relistMs: RELIST_MS, random: () => 0.5 });
    const controller = new AbortController();
    const running = watch.run(controller.signal);
    await watch.ready(controller.signal);
    try {
      await body(t, { clock, etcd, store, watch, signal: controller.signal });
    } finally {
      controller.abort(new Error('the test is over'));
      await t.throwsAsync(running, { message: 'the test is over' });
      t.is(clock.sleeping, 0);
    }
  });
}

watching('2 waitFor resolves with the revision in the picture', async (t, { etcd, watch, signal }) => {
  const outcome = etcd.commit([], [putTask('a')]);
  await watch.waitFor(outcome.etcdRevision, signal);
  t.true(watch.current.tasks.has(taskId('a')));
});

watching('3 changes yields once for several, and again for later ones', async (t, { etcd, watch, signal }) => {
  const iterator = watch.changes(signal)[Symbol.asyncIterator]();
  const first = iterator.next();
  etcd.commit([], [putTask('a')]);
  etcd.commit([], [putTask('b')]);
  await first;
  await settle();
  t.is(watch.current.tasks.size, 2);
  const second = iterator.next();
  etcd.commit([], [putTask('c')]);
  t.deepEqual([...((await second).value as ClusterChange).kinds], ['task']);
  etcd.commit([], [removeTask('a')]);
  etcd.commit([], [removeTask('b')]);
  await settle();
  t.is(((await iterator.next()).value as ClusterChange).etcdRevision, watch.current.etcdRevision, 'what came while nobody asked');
  await iterator.return?.();
});

watching('3 what is taken turns later is told after what is taken at once, with what came meanwhile', async (t, { clock, etcd, watch, signal }) => {
  const told: string[] = [];
  const tell = (name: string) => (result: IteratorResult<ClusterChange>): void => { told.push(name); t.is((result.value as ClusterChange).etcdRevision, watch.current.etcdRevision); };
  const [later, atOnce] = [watch.changes(signal, { turnsLater: 1 })[Symbol.asyncIterator](), watch.changes(signal)[Symbol.asyncIterator]()];
  const turned = Promise.withResolvers<undefined>();
  clock.turn = async () => { await turned.promise; };
  const both = [later.next().then(tell('later')), atOnce.next().then(tell('at once'))];
  etcd.commit([], [putTask('a')]);
  await settle();
  t.deepEqual(told, ['at once']);
  etcd.commit([], [putTask('b')]);
  await settle();
  turned.resolve(undefined);
  await Promise.all(both);
  t.deepEqual(told, ['at once', 'later']);
  await Promise.all([later.return?.(), atOnce.return?.()]);
});

watching('B5: a delete that the watch lost is repaired by the next list, within RELIST', async (t, { clock, etcd, store, watch }) => {
  etcd.commit([], [putTask('a')]);
  await settle();
  store.cut();
  const outcome = etcd.commit([], [removeTask('a')]);
  etcd.forgetEvent(outcome.etcdRevision);
  store.heal();
  await settle();
  t.is(watch.current.tasks.size, 1);
  await clock.advance(RELIST_MS + 1);
  t.is(watch.current.tasks.size, 0);
});

watching('5 a write that the watch lost is read anew at once, as soon as another comes; who waits for it gets it', async (t, { clock, etcd, store, watch, signal }) => {
  store.cut();
  const lost = etcd.commit([], [putTask('a')]);
  etcd.forgetEvent(lost.etcdRevision);
  const next = etcd.commit([], [putTask('b')]);
  store.heal();
  await watch.waitFor(next.etcdRevision, signal);
  t.is(watch.current.tasks.size, 2);
  t.true(clock.monotonicMs() < RELIST_MS);
});

watching('5 revisions of somebody else make lists that are further and further apart', async (t, { clock, etcd, watch, signal }) => {
  const lists = new Set<number | undefined>();
  for (let index = 0; index < 100; index += 1) {
    etcd.forgetEvent(etcd.commit([], [{ kind: 'put', key: '/other/key', value: new Uint8Array(1) }]).etcdRevision);
    await watch.waitFor(etcd.commit([], [putTask('a')]).etcdRevision, signal);
    lists.add(watch.lastListMonotonicMs);
    await clock.advance(100);
  }
  t.true(lists.size >= 3 && lists.size <= 6, `${String(lists.size)} lists in ten seconds`);
});

watching('4 compaction past a watcher that was cut off: read anew', async (t, { clock, etcd, store, watch }) => {
  etcd.commit([], [putTask('a')]);
  await settle();
  store.cut();
  etcd.commit([], [removeTask('a')]);
  etcd.commit([], [putTask('b')]);
  etcd.compact(etcd.etcdRevision);
  store.heal();
  await clock.advance(RETRIED_MS);
  t.deepEqual([...watch.current.tasks.keys()], [taskId('b')]);
  t.true(clock.monotonicMs() < RELIST_MS);
});

watching('4 an outage longer than a list interval ends in the right picture', async (t, { clock, etcd, store, watch }) => {
  store.cut();
  await clock.advance(3 * RELIST_MS);
  etcd.commit([], [putTask('a')]);
  store.heal();
  await turn();
  await settle();
  t.true(watch.current.tasks.has(taskId('a')));
});
