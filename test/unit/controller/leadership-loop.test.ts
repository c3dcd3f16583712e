import test from 'ava';
import { DeposedError, LeadershipLoop } from '../../../controller/leadership-loop.ts';
import type { Leadership } from '../../../controller/leadership-loop.ts';
import { RegistrationLoop } from '../../../controller/registration-loop.ts';
import { ClusterWatch } from '../../../controller/store/watch-loop.ts';
import { FakeClock, settle, T0 } from '../../support/fake-clock.ts';
import { MemoryEtcd } from '../../support/memory-store.ts';
import type { MemoryStore } from '../../support/memory-store.ts';
import { silentLogger } from '../../support/silent-logger.ts';

const LEASE_MS = 3_000;

interface Candidate {
  readonly store: MemoryStore;
  readonly loop: LeadershipLoop;
  readonly terms: { readonly leadership: Leadership; readonly signal: AbortSignal }[];
  readonly abort: AbortController;
  readonly running: Promise<unknown>;
}

/** Runs a candidate whose work only waits for its end. */
function candidate(etcd: MemoryEtcd, clock: FakeClock, id: string, work?: (signal: AbortSignal) => Promise<void>): Candidate {
  const store = etcd.connect();
  const abort = new AbortController();
  const terms: Candidate['terms'] = [];
  const cluster = new ClusterWatch({ store, clock, logger: silentLogger, relistMs: 5_000, random: () => 0.5 });
  const loop = new LeadershipLoop({
    store, clock, logger: silentLogger, leaseMs: LEASE_MS, cluster,
    record: { id, apiAddress: `${id}:7400`, metricsAddress: `${id}:7401`, startedAtMs: T0 },
    work: leadership => ({
      run: async signal => {
        terms.push({ leadership, signal });
        await (work ?? (ended => clock.sleep(1e9, ended)))(signal);
      },
    }),
  });
  const running = Promise.all([loop.run(abort.signal), cluster.run(abort.signal)]).catch((error: unknown) => error);
  return { store, loop, terms, abort, running };
}

test('one of two leads; when it ends the other does, with a higher epoch', async t => {
  const clock = new FakeClock();
  const etcd = new MemoryEtcd(clock);
  const [one, two] = [candidate(etcd, clock, 'c1'), candidate(etcd, clock, 'c2')];
  await clock.advance(LEASE_MS);
  const [leader, other] = one.terms.length === 1 ? [one, two] : [two, one];
  t.is(leader.terms.length + other.terms.length, 1);
  leader.abort.abort(new Error('over'));
  await clock.advance(LEASE_MS / 2);
  t.is(other.terms.length, 1);
  t.true(other.terms[0]!.leadership.epoch > leader.terms[0]!.leadership.epoch);
  other.abort.abort(new Error('over'));
  await Promise.all([one.running, two.running]);
});

test('1 a leader cut off from etcd ends its term at 2/3 of the lease, before another can begin', async t => {
  const clock = new FakeClock();
  const etcd = new MemoryEtcd(clock);
  const one = candidate(etcd, clock, 'c1');
  await clock.advance(10);
  const two = candidate(etcd, clock, 'c2');
  await clock.advance(LEASE_MS);
  const [{ leadership, signal }] = one.terms as [Candidate['terms'][number]];
  t.true(leadership.isHeld());
  one.store.cut();
  await clock.advance(LEASE_MS * 2 / 3 + 1);
  t.true(signal.aborted);
  t.false(leadership.isHeld());
  t.is(one.loop.leadership, undefined);
  t.is(two.terms.length, 0);
  await clock.advance(LEASE_MS);
  t.is(two.terms.length, 1);
  [one, two].forEach(each => { each.abort.abort(new Error('over')); });
  await Promise.all([one.running, two.running]);
});

test('1 a process that stood still for three leases does not hold its term, even before any timer ran', async t => {
  const clock = new FakeClock();
  const etcd = new MemoryEtcd(clock);
  const one = candidate(etcd, clock, 'c1');
  await clock.advance(10);
  clock.stall(3 * LEASE_MS);
  t.false(one.terms[0]!.leadership.isHeld());
  await clock.advance(1_000);
  t.true(one.terms[0]!.signal.aborted);
  one.abort.abort(new Error('over'));
  await one.running;
});

test('1 a lease that somebody revoked ends the term at once, without waiting for a renewal', async t => {
  const clock = new FakeClock();
  const etcd = new MemoryEtcd(clock);
  const one = candidate(etcd, clock, 'c1');
  await clock.advance(10);
  etcd.revokeAll();
  await settle();
  t.true(one.terms[0]!.signal.aborted);
  await clock.advance(LEASE_MS);
  t.is(one.terms.length, 2);
  t.true(one.terms[1]!.leadership.epoch > one.terms[0]!.leadership.epoch);
  one.abort.abort(new Error('over'));
  await one.running;
});

test('1 work that was refused for its epoch ends the term; 3 a bug of the work ends the loop', async t => {
  const clock = new FakeClock();
  const etcd = new MemoryEtcd(clock);
  let turns = 0;
  const one = candidate(etcd, clock, 'c1', () => {
    turns += 1;
    return Promise.reject(turns === 1 ? new DeposedError('refused') : new RangeError('a bug'));
  });
  await clock.advance(LEASE_MS);
  t.is(turns, 2);
  one.abort.abort(new Error('over'));
  t.true(await one.running instanceof RangeError);
});

test('a controller is registered under its lease, renewed, and again after etcd lost all leases', async t => {
  const clock = new FakeClock();
  const etcd = new MemoryEtcd(clock);
  const abort = new AbortController();
  const loop = new RegistrationLoop({
    store: etcd.connect(), clock, leaseMs: LEASE_MS, record: { id: 'c1', apiAddress: 'c1:7400', metricsAddress: 'c1:7401', startedAtMs: T0 },
  });
  const running = loop.run(abort.signal).catch((error: unknown) => error);
  await clock.advance(10 * LEASE_MS);
  t.is(etcd.range(['/gantry/v1/controllers/']).length, 1);
  t.true(clock.monotonicMs() - loop.lastRenewedMonotonicMs() <= LEASE_MS / 6);
  etcd.revokeAll();
  t.is(etcd.range(['/gantry/v1/controllers/']).length, 0);
  await clock.advance(LEASE_MS / 2);
  t.is(etcd.range(['/gantry/v1/controllers/']).length, 1);
  abort.abort(new Error('over'));
  await running;
  t.is(etcd.range(['/gantry/v1/controllers/']).length, 0);
});

test('a registration is older by each moment that etcd does not answer', async t => {
  const clock = new FakeClock();
  const etcd = new MemoryEtcd(clock);
  const store = etcd.connect();
  const abort = new AbortController();
  const loop = new RegistrationLoop({ store, clock, leaseMs: LEASE_MS, record: { id: 'c1', apiAddress: 'a', metricsAddress: 'b', startedAtMs: T0 } });
  t.is(loop.lastRenewedMonotonicMs(), Number.NEGATIVE_INFINITY);
  const running = loop.run(abort.signal).catch((error: unknown) => error);
  await clock.advance(LEASE_MS);
  store.cut();
  const before = loop.lastRenewedMonotonicMs();
  await clock.advance(LEASE_MS);
  t.is(loop.lastRenewedMonotonicMs(), before);
  store.heal();
  await clock.advance(LEASE_MS);
  t.true(loop.lastRenewedMonotonicMs() > before);
  abort.abort(new Error('over'));
  await running;
});

test('A8: a leader that stands still for half a lease goes on, whenever that was since its last renewal', async t => {
  for (let sinceMs = 0; sinceMs < LEASE_MS / 2; sinceMs += 10) {
    const clock = new FakeClock();
    const one = candidate(new MemoryEtcd(clock), clock, 'c1');
    await clock.advance(LEASE_MS + sinceMs);
    clock.stall(LEASE_MS / 2 + 100);
    await clock.advance(LEASE_MS);
    t.is(one.terms.length, 1, String(sinceMs));
    t.true(one.terms[0]?.leadership.isHeld());
    one.abort.abort(new Error('over'));
    await one.running;
  }
});
