/** Crons under the leader's real loop, over an etcd in memory, on a virtual clock: changes of the clock's zone and outages of every controller. */
import test from 'ava';
import type { Service } from '#model/app.ts';
import type { CronSpec } from '#model/service.ts';
import { TEST_TIMES } from '#model/times.ts';
import { planApp } from '../../controller/reconcile/app-plan.ts';
import { planNodes } from '../../controller/reconcile/node-plan.ts';
import { ReconcileLoop } from '../../controller/reconcile/reconcile-loop.ts';
import { RevisionCache } from '../../controller/reconcile/revision-store.ts';
import { planService } from '../../controller/reconcile/service-plan.ts';
import { planVolumes } from '../../controller/reconcile/volume-plan.ts';
import { tryToLead } from '../../controller/store/election-store.ts';
import { buildKey } from '../../controller/store/keys.ts';
import { encodeApp, encodeService } from '../../controller/store/records.ts';
import { ClusterWatch } from '../../controller/store/watch-loop.ts';
import { app, service } from '../support/builders.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';
import { MemoryEtcd } from '../support/memory-store.ts';
import { silentLogger } from '../support/silent-logger.ts';

const MINUTE_MS = 60_000;
/** What the loop gets of each minute: two of its ticks, so that it sees every minute without 240 of them. */
const AWAKE_MS = 500;

/** One cluster with one cron, whose controllers come and go. */
class CronCluster {
  readonly clock: FakeClock;
  readonly #etcd: MemoryEtcd;

  constructor(startMs: number, cron: CronSpec) {
    this.clock = new FakeClock(startMs);
    this.#etcd = new MemoryEtcd(this.clock);
    const of: Service = { ...service({ name: 'report', kind: 'cron', cron }), createdAtMs: startMs, updatedAtMs: startMs };
    this.#etcd.commit([], [
      { kind: 'put', key: buildKey({ kind: 'app', id: app().id }), value: encodeApp(app()) },
      { kind: 'put', key: buildKey({ kind: 'service', id: of.id }), value: encodeService(of) },
    ]);
  }

  /** Leads for so many minutes, looks at each of them, and is gone. Answers for what times runs were made, and when. */
  async lead(minutes: number): Promise<readonly string[]> {
    const [clock, store, abort] = [this.clock, this.#etcd.connect(), new AbortController()];
    const candidacy = await tryToLead(store, { id: 'c1', apiAddress: 'a', metricsAddress: 'b', startedAtMs: clock.nowMs() }, 1e12, abort.signal);
    const cluster = new ClusterWatch({ store, clock, logger: silentLogger, relistMs: 1e12, random: () => 0.5 });
    const watching = cluster.run(abort.signal).catch(() => undefined);
    await cluster.ready(abort.signal);
    const before = new Set(cluster.current.services.keys());
    const loop = new ReconcileLoop({
      store, clock, logger: silentLogger, cluster, times: { ...TEST_TIMES, relistMs: 1e12 }, clusterId: 'c', random: () => 0.5, revisions: new RevisionCache(store),
      events: { record: () => undefined }, planners: { service: planService, app: planApp, nodes: planNodes, volumes: planVolumes },
    }, { epoch: candidacy?.epoch ?? 0, isHeld: () => true });
    const running = loop.run(abort.signal).catch(() => undefined);
    await settle();
    for (let minute = 0; minute < minutes; minute += 1) {
      await clock.advance(AWAKE_MS);
      clock.stall(MINUTE_MS - AWAKE_MS);
    }
    const runs = [...cluster.current.services.values()].map(entry => entry.value).filter(one => one.cronRun !== undefined && !before.has(one.id));
    abort.abort(new Error('over'));
    await Promise.all([running, watching]);
    await store.transact([], [{ kind: 'delete', key: buildKey({ kind: 'leader' }) }]);
    return runs.map(one => `${iso(one.cronRun?.scheduledAtMs ?? 0)} at ${iso(one.createdAtMs)}`).sort();
  }

  /** No controller is there for so long. */
  outage(hours: number): void {
    this.clock.stall(hours * 60 * MINUTE_MS);
  }
}

function iso(timeMs: number): string {
  return new Date(Math.floor(timeMs / MINUTE_MS) * MINUTE_MS).toISOString().slice(0, 16);
}

const paris = (schedule: string, change: Partial<CronSpec> = {}): CronSpec => (
  { schedule, timezone: 'Europe/Paris', concurrency: 'allow', keptSucceeded: 100, keptFailed: 100, isSuspended: false, ...change }
);
const onTime = (...times: readonly string[]): readonly string[] => times.map(time => `${time} at ${time}`);

const nights = test.macro({
  async exec(t, schedule: string, start: string, expected: readonly string[]) {
    t.deepEqual(await new CronCluster(Date.parse(start), paris(schedule)).lead(6 * 60), [...expected]);
  },
  title: (_, schedule: string, start: string) => `${schedule} in Paris, the night of ${start.slice(0, 10)}`,
});
test(nights, '30 2 * * *', '2026-03-28T22:00Z', onTime('2026-03-29T01:00'));
test(nights, '0 * * * *', '2026-03-28T22:30Z', onTime('2026-03-28T23:00', '2026-03-29T00:00', '2026-03-29T01:00', '2026-03-29T02:00', '2026-03-29T03:00', '2026-03-29T04:00'));
test(nights, '30 2 * * *', '2026-10-24T22:00Z', onTime('2026-10-25T00:30'));
test(nights, '0 * * * *', '2026-10-24T21:30Z', onTime('2026-10-24T22:00', '2026-10-24T23:00', '2026-10-25T00:00', '2026-10-25T01:00', '2026-10-25T02:00', '2026-10-25T03:00'));

test('three hours without a controller: the newest missed time is run as soon as one is back, no other, and nothing twice', async t => {
  const cluster = new CronCluster(Date.parse('2026-05-01T08:40Z'), paris('0 * * * *'));
  t.deepEqual(await cluster.lead(30), onTime('2026-05-01T09:00'));
  cluster.outage(3);
  t.deepEqual(await cluster.lead(30), ['2026-05-01T12:00 at 2026-05-01T12:10']);
  t.deepEqual(await cluster.lead(30), onTime('2026-05-01T13:00'));
});

test('three hours without a controller over the change of the clock, with a deadline that is missed', async t => {
  const cluster = new CronCluster(Date.parse('2026-03-29T00:50Z'), paris('30 2 * * *', { startingDeadlineMs: 3_600_000 }));
  cluster.outage(3);
  t.deepEqual(await cluster.lead(30), []);
  const other = new CronCluster(Date.parse('2026-03-29T00:50Z'), paris('30 2 * * *'));
  other.outage(3);
  t.deepEqual(await other.lead(30), ['2026-03-29T01:00 at 2026-03-29T03:50']);
});
