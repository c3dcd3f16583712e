import type { ExecutionContext } from 'ava';
import test from 'ava';
import type { Task } from '#model/task.ts';
import { eventually } from '../../support/dev-cluster.ts';
import { lockApp, soloApp, webApp } from '../../support/fault-apps.ts';
import { FaultBench, lasting } from '../../support/fault-bench.ts';
import { HeldConnections } from '../../support/held-connections.ts';
import { LockServer } from '../../support/lock-server.ts';
import { RunTimes } from '../../support/run-times.ts';

/** LOST and EVICT of `--times test`. */
const LOST_MS = 4_000;
const EVICT_MS = 2_000;
const PORT = 18_233;
/** So many that by chance none of them leads to one of three tasks hardly ever. */
const CONNECTIONS = 30;
const WEB = 'default/load/web';
const DB = 'default/locks/db';
const SOLO = 'default/solo/one';

let bench: FaultBench;
let locks: LockServer;
let runs: RunTimes;

test.before(async () => {
  bench = await FaultBench.up();
  locks = await LockServer.listen(bench.cluster.layout.hostAddress);
  await bench.cluster.apply(webApp({ port: PORT, replicas: 3 }), '--wait');
  await bench.cluster.apply(lockApp({ address: bench.cluster.layout.hostAddress, port: locks.port }, 3), '--wait');
  await bench.cluster.apply(soloApp(3), '--wait');
  runs = new RunTimes(bench.cluster.layout);
});

test.after.always('nothing is left, and nothing that must hold was violated', async t => {
  const wrong = await bench.end();
  await locks.close();
  t.deepEqual([...wrong, ...locks.violations, ...runs.violations()], []);
});

type WhileLost = (t: ExecutionContext, node: string, alone: readonly Task[]) => Promise<void>;

/** Every task of the exclusive service that was ever placed. */
async function lookAtSolo(): Promise<void> {
  runs.look((await bench.tasksSince(0)).filter(task => task.serviceId === SOLO));
}

/** D3: what its node has stopped is replaced, and only then; `RunTimes` judges that at the end of all rows. */
const replacesAlone: WhileLost = async (t, node, alone) => {
  t.true(alone.length > 0);
  await eventually('the exclusive tasks to run elsewhere', 60_000, async () => {
    const now = (await bench.live(SOLO)).filter(task => task.node !== node);
    return now.length === 3 && now.every(task => bench.pictures().some(line => line.includes(task.id)));
  });
  t.deepEqual(bench.pictures().filter(line => alone.some(task => line.includes(task.id))), []);
  await eventually('the logs of the old ones and of the new ones', 60_000, async () => {
    await lookAtSolo();
    return [...alone, ...await bench.live(SOLO)].every(task => runs.has(task));
  });
};

/** Connections through a node that is heard, some of them to the task on `lost`. */
async function connectionsTo(lost: string): Promise<{ readonly held: HeldConnections; readonly leading: () => Promise<number> }> {
  const [near] = bench.cluster.layout.nodes.filter(({ name }) => name !== lost);
  const task = (await bench.live(WEB)).find(one => one.node === lost);
  const address = task === undefined ? undefined : bench.history.now().statuses.get(task.id)?.value.address;
  const held = await HeldConnections.open(near?.address ?? '', PORT, CONNECTIONS);
  return { held, leading: async () => await held.leadingTo(address ?? '', `/run/netns/gantry-${bench.cluster.name}-${near?.name ?? ''}`) };
}

/**
 * A node is lost in the given way. What may be replaced runs elsewhere within the bound and what is held does not; once the node is back
 * exactly what is wanted runs: the old copies are stopped, the held ones are as they were. Connections that others had to its tasks end before.
 */
const losesNode = test.macro({
  async exec(t, lose: (node: string) => Promise<void>, whileLost: WhileLost = () => Promise.resolve()) {
    await bench.settled();
    const alone = await bench.live(SOLO);
    const node = (await bench.live(WEB)).find(task => alone.some(one => one.node === task.node))?.node ?? '';
    const revision = await bench.history.catchUp();
    const held = await bench.live(DB);
    const heldPictures = bench.pictures().filter(line => held.some(task => line.includes(task.id)));
    t.is(held.length, 3);
    const connections = await connectionsTo(node);
    using _connections = connections.held;
    const leading = await connections.leading();
    t.true(leading > 0);
    await lose(node);
    const lostAtMs = performance.now();
    await eventually('the replacements to run elsewhere', LOST_MS + EVICT_MS + 5_000, async () => {
      const elsewhere = (await bench.live(WEB)).filter(task => task.node !== node);
      return elsewhere.length === 3 && elsewhere.every(task => bench.pictures().some(line => line.includes(task.id)));
    });
    t.log(`replaced after ${String(Math.round(performance.now() - lostAtMs))} ms`);
    t.is(await bench.condition(node), 'lost');
    await whileLost(t, node, alone.filter(task => task.node === node));
    await eventually(`the end of ${String(leading)} connections to the lost node`, 60_000, async () =>
      connections.held.open <= CONNECTIONS - leading && await connections.leading() === 0);
    const starts = bench.startsOn(node);
    await bench.heal();
    await bench.settled();
    t.deepEqual((await bench.live(DB)).map(task => task.id), held.map(task => task.id));
    t.deepEqual(bench.pictures().filter(line => held.some(task => line.includes(task.id))), heldPictures);
    await lookAtSolo();
    const wanted = new Set([...await bench.live(WEB), ...await bench.live(SOLO), ...await bench.live('default/load/watcher')].map(task => task.id));
    t.deepEqual(bench.startsOn(node).slice(starts.length).filter(start => !wanted.has(start.task as never)), []);
    t.true((await bench.tasksSince(revision)).every(task => task.service !== 'db'));
    for (const { slot } of held) {
      const beats = (): number => locks.beats.get(locks.holderOf(`db-${String(slot)}`) ?? '') ?? 0;
      const before = beats();
      await eventually(`db-${String(slot)} to beat again`, 60_000, () => beats() > before);
    }
  },
  title: (name = '') => `${name} (root)`,
});

test.serial('D1: a node cut off for LOST/2: nothing happens (root)', async t => {
  let revision = 0;
  // One that a busy machine mends late is another fault: the kernel sends again at 3.0 s what was lost at first, and then only at 6.2 s.
  await eventually('a cut that was mended in time', 180_000, async () => {
    revision = await bench.settled();
    const cutAtMs = performance.now();
    await bench.cut('n2');
    await lasting(LOST_MS / 2);
    await bench.mend('n2');
    const isInTime = performance.now() - cutAtMs < 0.7 * LOST_MS;
    await bench.heard();
    return isInTime;
  });
  await bench.settled();
  t.deepEqual(await bench.absencesSince(revision), []);
  t.deepEqual(await bench.tasksSince(revision), []);
});

test.serial('D2, D3, show 6: cut off both ways', losesNode, async node => { await bench.cut(node, 'both'); }, replacesAlone);
test.serial('D4, show 6: the node hears and is not heard', losesNode, async node => { await bench.cut(node, 'out'); });
test.serial('D5, show 6: the node is heard and does not hear', losesNode, async node => { await bench.cut(node, 'in'); });
test.serial('E6, D3, show 6: the agent stands still, then goes on: it starts nothing that is not its own any more; its exclusive tasks are stopped in its stead', losesNode,
  async node => { await bench.freeze(node); },
  async (t, node, alone) => {
    await replacesAlone(t, node, alone);
    alone.forEach(task => { t.regex(bench.log(`${node}-deadman`), new RegExp(`gantry-${task.id}-\\d+ is killed`)); });
  });
