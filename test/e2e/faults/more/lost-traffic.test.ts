/** With the default times: what a node that is lost in each way costs the requests that others make (needs root). */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { webApp } from '../../../support/fault-apps.ts';
import { FaultBench, lasting } from '../../../support/fault-bench.ts';
import { RequestLoad } from '../../../support/request-load.ts';
import type { FailedRequest } from '../../../support/request-load.ts';

const PORT = 18_247;
const WEB = 'default/load/web';
/** More than one a node, so that after a loss they are still on two nodes at least. */
const REPLICAS = 6;
const PER_SECOND = 10;
const CONNECTIONS = 10;
/** LOST is 20 s: from here on no request may meet the node. */
const LAST_FAILURE_MS = 25_000;
/** LOST, EVICT, and the tasks that come instead. */
const LASTS_MS = 65_000;

let bench: FaultBench;

test.before(async () => {
  bench = await FaultBench.up({ times: 'default' });
  await bench.cluster.apply(webApp({ port: PORT, replicas: REPLICAS, replaceAfter: '50s', isProbed: true }), '--wait');
});

test.after.always('nothing is left, and nothing that must hold was violated', async t => {
  t.deepEqual(await bench.end(), []);
});

/** Requests that failed, by the second in which they began. */
function table(name: string, failures: readonly FailedRequest[]): string {
  const seconds = Map.groupBy(failures, ({ atMs }) => Math.floor(atMs / 1_000));
  return `${name}: ${String(failures.length)} failed${[...seconds].sort(([left], [right]) => left - right).map(([second, all]) => ` ${String(second)}s:${String(all.length)}`).join('')}`;
}

const costs = test.macro({
  async exec(t: ExecutionContext, lose: (node: string) => Promise<void>) {
    await bench.settled(120_000);
    const [victim] = await bench.live(WEB);
    const through = bench.cluster.layout.nodes.find(({ name }) => name !== victim?.node);
    const url = `http://${through?.address ?? ''}:${String(PORT)}/`;
    await lose(victim?.node ?? '');
    const [fresh, kept] = [new RequestLoad(url, PER_SECOND), new RequestLoad(url, PER_SECOND, CONNECTIONS)];
    await lasting(LASTS_MS);
    const ends = [['each on a connection of its own', await fresh.stop()], ['on connections that stay', await kept.stop()]] as const;
    ends.forEach(([name, { failures }]) => { t.log(table(name, failures)); });
    await bench.heal();
    await bench.heard();
    t.deepEqual(ends.flatMap(([, { failures }]) => failures.filter(({ atMs }) => atMs >= LAST_FAILURE_MS)), []);
  },
  title: (name = '') => `no request fails that begins ${String(LAST_FAILURE_MS / 1_000)} s after a node is lost: ${name} (root)`,
});

test.serial('cut off both ways', costs, async node => { await bench.cut(node, 'both'); });
test.serial('it is not heard', costs, async node => { await bench.cut(node, 'out'); });
test.serial('it hears nothing', costs, async node => { await bench.cut(node, 'in'); });
test.serial('its agent stands still, its containers serve', costs, async node => { await bench.freeze(node); });
