import { randomUUID } from 'node:crypto';
import test from 'ava';
import { parseServiceId, parseTaskId } from '#model/ids.ts';
import { buildKey } from '../../../controller/store/keys.ts';
import { eventually } from '../../support/dev-cluster.ts';
import { webApp } from '../../support/fault-apps.ts';
import { FaultBench, lasting } from '../../support/fault-bench.ts';
import type { Budget } from '../../support/invariants.ts';
import { unnoticed } from '../../support/unnoticed.ts';

/** LOST and LEASE of `--times test`. */
const LOST_MS = 4_000;
const LEASE_MS = 3_000;
const PORT = 18_232;
const WEB = 'default/load/web';
const LEADER = buildKey({ kind: 'leader' });

let bench: FaultBench;
const budgets: Budget[] = [];

test.before(async () => {
  bench = await FaultBench.up();
  await bench.cluster.apply(webApp({ port: PORT, replicas: 3 }), '--wait');
});

test.after.always('nothing is left, and nothing that must hold was violated', async t => {
  t.deepEqual(await bench.end(budgets), []);
});

/** The leader and the other controller. */
async function roles(): Promise<readonly [leader: string, follower: string]> {
  const leader = await bench.leader();
  return [leader, leader === 'c1' ? 'c2' : 'c1'];
}

/**
 * Starts one controller anew with a failpoint in its writes, as the only one and so as the leader; the other one stays down. Its next start has none.
 * Again where the failpoint was met before all was as it should be: it is still to come.
 */
async function leadAlone(failpoints: string): Promise<readonly [leader: string, other: string]> {
  return await eventually('a leader whose failpoint is still to come', 180_000, async () => {
    const [leader, other] = await roles();
    bench.environment(leader, { FAILPOINTS: failpoints });
    await bench.down(other);
    const logged = bench.log(leader).length;
    const { pid: before } = bench.cluster.process(leader);
    bench.kill(leader);
    const pid = await bench.running(leader, before);
    bench.clearEnvironment(leader);
    await eventually(`${leader} to lead again`, 60_000, async () => (await bench.viewOf(leader)).nodes.length > 0 && (await bench.leader()) === leader);
    await bench.heard();
    await bench.settled();
    const isStill = bench.cluster.process(leader).pid === pid && !bench.log(leader).slice(logged).includes('not leading any more');
    return isStill && [leader, other] as const;
  });
}

/** What etcd got after the revision, up to the next epoch: what the leader of then let be written. */
function writtenUntilNextEpoch(revision: number): ReadonlySet<string> {
  const puts = bench.history.entries.flatMap(({ batch }) => batch.changes).flatMap(change => (change.kind === 'put' && change.entry.modRevision > revision ? [change.entry] : []));
  const next = puts.find(entry => entry.key === LEADER)?.modRevision ?? 0;
  return new Set(puts.filter(entry => entry.modRevision < next).map(entry => entry.key));
}

test.serial('A1: the idle leader killed with -9: another epoch within LEASE + 3 s, no task changes (root)', async t => {
  const [leader] = await roles();
  const { epoch } = bench.history.now();
  await unnoticed(t, bench, PORT, async () => {
    bench.kill(leader);
    await eventually('another epoch', LEASE_MS + 3_000, async () => {
      await bench.history.catchUp();
      return bench.history.now().epoch > epoch;
    });
  });
});

test.serial('A2: the leader stopped for 3 x LEASE, then going on: another leads, and the old one sees it (root)', async t => {
  const [leader, follower] = await roles();
  await unnoticed(t, bench, PORT, async () => {
    await bench.freeze(leader);
    await lasting(3 * LEASE_MS);
    t.is(await bench.leader(), follower);
    const before = bench.log(leader).length;
    await bench.heal(leader);
    await eventually('the old leader to step down', 3_000, () => bench.log(leader).slice(before).includes('not leading any more'));
  });
  t.is(await bench.leader(), follower);
});

test.serial('A4: the leader dies right after it wrote placements: they run, started once (root)', async t => {
  const [leader, other] = await leadAlone('apply.after-commit=1*panic');
  const { pid } = bench.cluster.process(leader);
  const revision = await bench.history.catchUp();
  // The answer may die with the leader.
  await bench.cluster.tryCtl('scale', 'load/web=6');
  await bench.running(leader, pid);
  await bench.start(other);
  await bench.settled();
  t.is((await bench.live(WEB)).length, 6);
  const placed = await bench.tasksSince(revision);
  t.is(placed.length, 3);
  const written = writtenUntilNextEpoch(revision);
  t.true(placed.every(({ id }) => written.has(buildKey({ kind: 'task', id }))), 'the one that died placed all');
  // Where the watch was faster than etcd's answer to the leader, agents were told before it died.
  t.log(`${String(placed.filter(({ id }) => written.has(buildKey({ kind: 'status', id }))).length)} of them were told of before`);
});

test.serial('A5: every leader dies at its fifth write of a rollout of 10: I7 holds, it ends on the new revision (root)', async t => {
  await bench.cluster.ctl('scale', 'load/web=10', '--wait');
  const fromRevision = await bench.settled();
  const old = ['c1', 'c2'].map(name => bench.cluster.process(name).pid);
  for (const name of ['c1', 'c2']) {
    bench.environment(name, { FAILPOINTS: name === 'c1' ? 'apply.before-commit=4*off->1*panic' : 'apply.after-commit=4*off->1*panic' });
    bench.kill(name);
  }
  const before = [await bench.running('c1', old[0]), await bench.running('c2', old[1])];
  await bench.heard();
  await eventually('the new revision to be taken', 60_000, async () => (await bench.cluster.tryApply(webApp({ port: PORT, replicas: 10, color: 'green' }))).exitCode === 0);
  await eventually('a rollout to the end', 60_000, async () => {
    const tasks = await bench.live(WEB);
    return tasks.length === 10 && tasks.every(task => task.container.environment.some(one => one.name === 'COLOR' && one.value === 'green'));
  });
  t.true(['c1', 'c2'].some((name, index) => bench.cluster.process(name).pid !== before[index]), 'no leader died: the failpoints did nothing');
  await bench.history.catchUp();
  const epochs = bench.history.entries.flatMap(({ batch }) => batch.changes).filter(change => change.kind === 'put' && change.entry.key === LEADER && change.entry.modRevision > fromRevision);
  // One copy more at a time is two: it takes ten writes at least, and each leader made no more than five.
  t.log(`${String(epochs.length)} epochs`);
  t.true(epochs.length >= 3);
  for (const name of ['c1', 'c2']) {
    bench.clearEnvironment(name);
  }
  const toRevision = await bench.settled();
  budgets.push({ service: WEB, fromRevision, toRevision, minServing: 10, maxCopies: 12 });
  await bench.cluster.ctl('scale', 'load/web=3', '--wait');
});

test.serial("A7, A2: the leader's event loop blocked for 2 x LOST before it sends a write: no node is lost, another epoch, its write is refused (root)", async t => {
  const [leader, other] = await leadAlone(`apply.before-commit=1*block(${String(2 * LOST_MS)})`);
  await bench.start(other);
  await eventually(`${other} to answer`, 60_000, async () => (await bench.viewOf(other)).nodes.length > 0);
  const revision = await bench.settled();
  const epoch = await bench.epoch();
  const logged = bench.log(leader).length;
  await bench.through(other, async client => { await client.scale({ requestId: randomUUID(), service: parseServiceId(WEB), replicas: 4 }); });
  await eventually('the old leader to step down', 60_000, () => bench.log(leader).slice(logged).includes('not leading any more'));
  await bench.heard();
  await bench.settled();
  t.true(await bench.epoch() > epoch);
  t.is((await bench.live(WEB)).length, 4);
  t.is((await bench.tasksSince(revision)).length, 1);
  t.deepEqual((await bench.absencesSince(revision)).filter(absence => absence.endsWith('lost')), []);
});

test.serial('A11: a task record that nobody can read: its container runs on through new controllers and a new agent (root)', async t => {
  await bench.cluster.ctl('scale', 'load/web=3', '--wait');
  await bench.settled();
  const [victim] = await bench.live(WEB);
  const node = victim?.node ?? '';
  const key = buildKey({ kind: 'task', id: parseTaskId(victim?.id ?? '') });
  const { store } = bench.history;
  const readable = await store.get(key);
  await unnoticed(t, bench, PORT, async () => {
    // As a program with a schema of the far future writes it.
    await store.transact([], [{ kind: 'put', key, value: new Uint8Array([250, ...(readable?.value ?? new Uint8Array()).subarray(1)]) }]);
    const pids = ['c1', 'c2', node].map(name => [name, bench.cluster.process(name).pid] as const);
    pids.forEach(([name]) => { bench.kill(name); });
    for (const [name, pid] of pids) {
      await bench.running(name, pid);
    }
    await bench.heard();
    await bench.history.catchUp();
    t.deepEqual(bench.history.unreadable(), [key]);
    await bench.cluster.ctl('scale', 'load/web=5');
    await lasting(LOST_MS);
    await bench.cluster.ctl('scale', 'load/web=3');
    await store.transact([], [{ kind: 'put', key, value: readable?.value ?? new Uint8Array() }]);
  });
});
