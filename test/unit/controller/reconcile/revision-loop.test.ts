import test from 'ava';
import type { ExecutionContext } from 'ava';
import { appId, serviceId } from '#model/ids.ts';
import { createApply } from '../../../../controller/api/apply-api.ts';
import { DeposedError } from '../../../../controller/leadership-loop.ts';
import { RevisionLoop } from '../../../../controller/reconcile/revision-loop.ts';
import { encodeService, encodeServiceStatus } from '../../../../controller/store/records.ts';
import { settle } from '../../../support/fake-clock.ts';
import { appOf } from '../../../support/manifest.ts';
import { MemoryReplica, OPERATOR, requestId } from '../../../support/memory-replica.ts';
import { silentLogger } from '../../../support/silent-logger.ts';

const WEB = serviceId('default', 'shop', 'web');

/** A replica that leads, with the loop of its term. */
class Rig {
  readonly replica: MemoryReplica;
  readonly over = new AbortController();
  running: Promise<void> = Promise.resolve();

  constructor(replica: MemoryReplica) {
    this.replica = replica;
  }

  static async start(t: ExecutionContext, limit: number): Promise<Rig> {
    const rig = new Rig(await MemoryReplica.start(t));
    const { clock, state, store } = rig.replica;
    await rig.replica.put({ kind: 'leader' }, new Uint8Array());
    const epoch = rig.replica.etcd.read('/gantry/v1/leader')?.createRevision ?? 0;
    rig.running = new RevisionLoop({ store, clock, logger: silentLogger, cluster: state, limit }, { epoch, isHeld: () => true }).run(rig.over.signal);
    rig.running.catch(() => { /* looked at by the test */ });
    t.teardown(() => { rig.over.abort(new Error('the test is over')); });
    await settle();
    return rig;
  }

  async apply(first: number, last: number): Promise<void> {
    for (let number = first; number <= last; number += 1) {
      const app = appOf({ apiVersion: 'gantry/v1', kind: 'App', metadata: { name: 'shop' }, services: { web: { image: 'nginx', environment: { N: String(number) } } } });
      await createApply(this.replica.parts)({ requestId: requestId(number), app, isDryRun: false }, OPERATOR);
    }
  }

  async look(): Promise<void> {
    await this.replica.clock.advance(10_000);
    await settle();
  }

  get numbers(): readonly number[] {
    return this.replica.keys('revisions/').map(key => Number(key.slice(-10)));
  }
}

test('of 30 Revisions the ten before the one in force stay, and an apply after that takes the oldest away', async t => {
  const rig = await Rig.start(t, 10);
  await rig.apply(1, 30);
  await rig.look();
  t.deepEqual(rig.numbers, [20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30]);
  await rig.apply(31, 31);
  await rig.look();
  t.deepEqual(rig.numbers, [21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31]);
});

test('the one that a rollback goes back to stays until the next one is settled', async t => {
  const rig = await Rig.start(t, 1);
  await rig.apply(1, 5);
  const statusOf = (settledRevision: number): Uint8Array => encodeServiceStatus({
    id: WEB, settledRevision, rollout: { state: 'progressing', reason: '', revision: 5, startedAtMs: 0 }, pending: [], crashLoops: [],
  });
  await rig.replica.put({ kind: 'service-status', id: WEB }, statusOf(2));
  await rig.look();
  t.deepEqual(rig.numbers, [2, 4, 5]);
  await rig.replica.put({ kind: 'service-status', id: WEB }, statusOf(5));
  await rig.apply(6, 6);
  await rig.look();
  t.deepEqual(rig.numbers, [5, 6]);
});

test('an App of which a Service cannot be read keeps all', async t => {
  const rig = await Rig.start(t, 1);
  await rig.apply(1, 4);
  const service = rig.replica.state.current.services.get(WEB)?.value;
  await rig.replica.put({ kind: 'service', id: WEB }, Uint8Array.of(255, 1));
  await rig.look();
  t.is(rig.numbers.length, 4);
  if (service !== undefined) await rig.replica.put({ kind: 'service', id: WEB }, encodeService(service));
  await rig.look();
  t.deepEqual(rig.numbers, [3, 4]);
});

test('a leader of an earlier epoch deletes nothing', async t => {
  const rig = await Rig.start(t, 1);
  await rig.apply(1, 4);
  await rig.replica.delete({ kind: 'leader' });
  await rig.replica.put({ kind: 'leader' }, new Uint8Array());
  await rig.replica.clock.advance(10_000);
  await t.throwsAsync(rig.running, { instanceOf: DeposedError });
  t.is(rig.numbers.length, 4);
  t.is(rig.replica.state.current.apps.get(appId('default', 'shop'))?.value.revision, 4);
});
