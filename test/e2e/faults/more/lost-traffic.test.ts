/** With the default times: what a node that is lost in each way costs the requests that others make (needs root). */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { proxyApp, webApp } from '../../../support/fault-apps.ts';
import { FaultBench, lasting } from '../../../support/fault-bench.ts';
import { shellApp } from '../../../support/shell-app.ts';
import { RequestLoad } from '../../../support/request-load.ts';
import type { FailedRequest } from '../../../support/request-load.ts';

const PORT = 18_247;
const PLAIN_PROXY_PORT = 18_248;
const KEPT_PROXY_PORT = 18_249;
const RETRY_PROXY_PORT = 18_250;
const WEB = 'default/load/web';
const BACK = 'default/proxied/back';
const FRONT = 'default/proxied/front';
/** LOST and EVICT. */
const REPLACE_AFTER = '50s';
/** More than one a node, so that after a loss they are still on two nodes at least. */
const REPLICAS = 6;
const PER_SECOND = 10;
const CONNECTIONS = 10;
/** LOST is 20 s: from here on no request may meet the node. */
const LAST_FAILURE_MS = 25_000;
/** For connections that lead to the node when it is lost. */
const BEFORE_MS = 3_000;
/** LOST, EVICT, and the tasks that come instead. */
const LASTS_MS = 65_000;

let bench: FaultBench;

test.before(async () => {
  bench = await FaultBench.up({ times: 'default', images: ['hello', 'shop'] });
  await bench.cluster.apply(webApp({ port: PORT, replicas: REPLICAS, replaceAfter: REPLACE_AFTER, isProbed: true }), '--wait');
  await bench.cluster.apply(proxyApp({ plainPort: PLAIN_PROXY_PORT, keptPort: KEPT_PROXY_PORT, retryPort: RETRY_PROXY_PORT, replaceAfter: REPLACE_AFTER }), '--wait');
});

test.after.always('nothing is left, and nothing that must hold was violated', async t => {
  t.deepEqual(await bench.end(), []);
});

/** Requests that failed, by the second after the loss in which they began. */
function table(name: string, failures: readonly FailedRequest[]): string {
  const seconds = Map.groupBy(failures, ({ atMs }) => Math.floor(atMs / 1_000));
  return `${name}: ${String(failures.length)} failed${[...seconds].sort(([left], [right]) => left - right).map(([second, all]) => ` ${String(second)}s:${String(all.length)}`).join('')}`;
}

/** A node that serves both services while the proxy is on another. */
async function victimOf(): Promise<string> {
  const [web, back, front] = await Promise.all([WEB, BACK, FRONT].map(async service => new Set<string>((await bench.live(service)).map(({ node }) => node))));
  const victim = bench.cluster.layout.nodes.map(({ name }) => name).find(name => [web, back].every(nodes => nodes?.has(name) === true) && front?.has(name) === false);
  if (victim === undefined) {
    throw new Error('no node has tasks of web and of back and not the proxy');
  }
  return victim;
}

const costs = test.macro({
  async exec(t: ExecutionContext, lose: (node: string) => Promise<void>) {
    await bench.settled(120_000);
    const victim = await victimOf();
    const through = bench.cluster.layout.nodes.find(({ name }) => name !== victim);
    const url = (port: number): string => `http://${through?.address ?? ''}:${String(port)}/`;
    const beganMs = performance.now();
    const loads = [
      ['each on a connection of its own', new RequestLoad(url(PORT), PER_SECOND)],
      ['on connections that stay', new RequestLoad(url(PORT), PER_SECOND, CONNECTIONS)],
      ['through a proxy', new RequestLoad(url(PLAIN_PROXY_PORT), PER_SECOND)],
      ['through a proxy whose connections stay', new RequestLoad(url(KEPT_PROXY_PORT), PER_SECOND)],
      ['through a proxy that tries again', new RequestLoad(url(RETRY_PROXY_PORT), PER_SECOND)],
    ] as const;
    await lasting(BEFORE_MS);
    await lose(victim);
    const lostMs = performance.now() - beganMs;
    await lasting(LASTS_MS);
    const ends = await Promise.all(loads.map(async ([name, load]) =>
      ({ name, failures: (await load.stop()).failures.map(({ atMs, reason }) => ({ atMs: atMs - lostMs, reason })) })));
    ends.forEach(({ name, failures }) => { t.log(table(name, failures)); });
    await bench.heal();
    await bench.heard();
    t.deepEqual(ends.flatMap(({ name, failures }) => failures.filter(({ atMs }) => atMs >= LAST_FAILURE_MS).map(failure => ({ name, ...failure }))), []);
  },
  title: (name = '') => `no request fails that begins ${String(LAST_FAILURE_MS / 1_000)} s after a node is lost: ${name} (root)`,
});

test.serial('cut off both ways', costs, async node => { await bench.cut(node, 'both'); });
test.serial('it is not heard', costs, async node => { await bench.cut(node, 'out'); });
test.serial('it hears nothing', costs, async node => { await bench.cut(node, 'in'); });
test.serial('its agent stands still, its containers serve', costs, async node => { await bench.freeze(node); });
test.serial('all of it stands still', costs, async node => { await bench.freezeNode(node); });

test.serial('apply --wait fails for a first revision without a health check that crashes in a loop (root)', async t => {
  const { cluster } = bench;
  const web = { run: 'sleep 0.2; exit 3', more: ['restart: { policy: always, max_attempts: 2, delay: 100ms }'] };
  const applied = await cluster.tryApply(shellApp('loop', { web }), '--wait');
  t.is(applied.exitCode, 1, applied.stdout);
  t.regex(applied.stderr, /loop\/web: failed: .*crash-loop/);
  await cluster.ctl('delete', 'app/loop');
});
