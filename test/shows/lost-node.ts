import { eventually } from '../support/dev-cluster.ts';
import { lockApp, webApp } from '../support/fault-apps.ts';
import { FaultBench } from '../support/fault-bench.ts';
import { LockServer } from '../support/lock-server.ts';
import type { Show, Stage } from './show.ts';

const PORT = 18_242;
const REPLICAS = 3;
const WEB = 'default/load/web';
const DB = 'default/locks/db';
/** Promised with the default times: LOST 20 s, replaced after 50 s. */
const ELSEWHERE_LIMIT_MS = 60_000;
const HEALED_LIMIT_MS = 60_000;

const WAYS: Readonly<Record<string, (bench: FaultBench, node: string) => Promise<void>>> = {
  'its agent stands still': async (bench, node) => { await bench.freeze(node); },
  'cut off both ways': async (bench, node) => { await bench.cut(node, 'both'); },
  'it hears nothing': async (bench, node) => { await bench.cut(node, 'in'); },
  'it is not heard': async (bench, node) => { await bench.cut(node, 'out'); },
};

export const lostNode: Show = {
  about: 'a node lost in each way: its tasks run elsewhere within a minute, after its return exactly as many as wanted, and never two of one ordinal',
  async play(stage) {
    const { cluster, must } = stage;
    const locks = await LockServer.listen(cluster.layout.hostAddress);
    const bench = FaultBench.attach(cluster);
    try {
      await cluster.apply(webApp({ port: PORT, replicas: REPLICAS, replaceAfter: '50s' }), '--wait');
      await cluster.apply(lockApp({ address: cluster.layout.hostAddress, port: locks.port }, REPLICAS), '--wait');
      await eventually('each ordinal to hold its lock', HEALED_LIMIT_MS, () => [0, 1, 2].every(slot => locks.holderOf(`db-${String(slot)}`) !== undefined));
      for (const [way, lose] of Object.entries(WAYS)) {
        await losesNode(stage, bench, { way, lose });
        must(`${way}: the lock server never saw two of one ordinal`, locks.violations.length === 0, locks.violations);
      }
    } finally {
      await bench.leave();
      await cluster.ctl('delete', 'app/load', 'app/locks');
      await locks.close();
    }
  },
};

async function losesNode({ saw, must }: Stage, bench: FaultBench, { way, lose }: { readonly way: string; readonly lose: (bench: FaultBench, node: string) => Promise<void> }): Promise<void> {
  await bench.settled(HEALED_LIMIT_MS);
  const [victim] = await bench.live(WEB);
  const node = victim?.node ?? '';
  const held = (await bench.live(DB)).map(task => task.id).sort();
  await lose(bench, node);
  const lostAtMs = performance.now();
  saw(`${node}: ${way}`);
  await eventually(`${String(REPLICAS)} tasks elsewhere`, ELSEWHERE_LIMIT_MS, async () => {
    const elsewhere = (await bench.live(WEB)).filter(task => task.node !== node);
    return elsewhere.length === REPLICAS && elsewhere.every(task => bench.pictures().some(line => line.includes(task.id)));
  });
  must(`${way}: all ${String(REPLICAS)} run elsewhere after ${((performance.now() - lostAtMs) / 1_000).toFixed(1)} s`, true);
  await bench.heal();
  await bench.heard(HEALED_LIMIT_MS);
  await bench.settled(HEALED_LIMIT_MS);
  const running = await bench.live(WEB);
  must(`${way}: after its return exactly ${String(REPLICAS)} run, here and there`, running.length === REPLICAS && running.every(task => bench.pictures().some(line => line.includes(task.id))), running.map(task => task.name));
  must(`${way}: what is held is as it was`, (await bench.live(DB)).map(task => task.id).sort().join() === held.join());
}
