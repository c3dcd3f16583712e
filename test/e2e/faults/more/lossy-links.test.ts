/** Rows of links that are bad and not down: D7, D8, D10, D11, and A13, an answer that is lost (needs root). */
import { randomUUID } from 'node:crypto';
import test from 'ava';
import { requireCommand } from '#kit/command-process.ts';
import { parseServiceId } from '#model/ids.ts';
import { createControlClient } from '#rpc/control-client.ts';
import { eventually } from '../../../support/dev-cluster.ts';
import { webApp } from '../../../support/fault-apps.ts';
import { FaultBench, lasting } from '../../../support/fault-bench.ts';
import { freePort } from '../../../support/free-port.ts';
import { withOptions } from '../../../support/node-faults.ts';
import { TcpRelay } from '../../../support/tcp-relay.ts';

const WEB = 'default/load/web';
const NODES = ['n1', 'n2', 'n3'] as const;
const TABLE = 'gantry_fault';
/** D7 says 5 min. */
const LOSSY_MS = 40_000;
const REFUSED_MS = 10_000;
const SLOW_MS = 20_000;
/** D10 says 30 in these ten seconds, for agents that wait up to 8 s; with test times they wait up to 2 s. Those that always dial at once do it hundreds of times. */
const DIALS = 100;

let bench: FaultBench;

test.before(async () => {
  bench = await FaultBench.up();
  await bench.cluster.apply(webApp({ port: await freePort(), replicas: 3 }), '--wait');
});

test.after.always('nothing is left, and nothing that must hold was violated', async t => {
  t.deepEqual(await bench.end(), []);
});

test.afterEach.always('as before, for what comes after', async () => {
  await bench.heard();
  await bench.cluster.ctl('scale', 'load/web=3', '--wait');
});

/** Runs `body` while the nodes' networks have these chains. */
async function withRules(nodes: readonly string[], family: 'inet' | 'netdev', chains: string, body: () => Promise<void>): Promise<void> {
  const table = `table ${family} ${TABLE}`;
  try {
    for (const node of nodes) await nft(node, `${table} {\n${chains}\n}\n`);
    await body();
  } finally {
    // A table that is not there is no error so.
    await Promise.all(nodes.map(async node => { await nft(node, `${table}\ndelete ${table}\n`); }));
  }
}

async function nft(node: string, input: string): Promise<void> {
  await requireCommand('nsenter', [`--net=/run/netns/${networkOf(node)}`, 'nft', '-f', '-'], { input });
}

function networkOf(node: string): string {
  return bench.cluster.layout.nodes.find(one => one.name === node)?.networkNamespace ?? '';
}

/** Of the API of each controller. */
const apiPorts = (): string => bench.cluster.layout.controllers.map(({ apiPort }) => String(apiPort)).join(', ');

/** What runs is what ran, and no node was lost. */
async function noneLost(body: () => Promise<void>): Promise<readonly string[]> {
  const revision = await bench.settled();
  const before = bench.pictures();
  await body();
  await bench.heard();
  await bench.settled();
  const after = new Set(bench.pictures());
  return [...before.filter(line => !after.has(line)), ...(await bench.absencesSince(revision)).filter(absence => absence.endsWith('lost'))];
}

test.serial('D7: three packets in a row of each ten from a node are lost: at most one loss of a node, and a deploy of 10 runs (root)', async t => {
  const revision = await bench.settled();
  await withRules(NODES, 'netdev', 'chain loss { type filter hook egress device "eth0" priority 500; policy accept; numgen inc mod 10 < 3 drop; }', async () => {
    const startedAtMs = performance.now();
    await bench.cluster.ctl('scale', 'load/web=10', '--wait');
    t.log(`deployed after ${String(Math.round(performance.now() - startedAtMs))} ms`);
    await lasting(LOSSY_MS);
  });
  await bench.heard();
  await bench.settled();
  t.true((await bench.absencesSince(revision)).filter(absence => absence.endsWith('lost')).length <= 1);
});

test.serial('D8: each way to the controllers takes 300 ms: no node is lost (root)', async t => {
  const { hostAddress: host, controllers } = bench.cluster.layout;
  const relays = await Promise.all(controllers.map(async ({ apiPort: port }) => await TcpRelay.start({ host, upstream: { host, port }, delayMs: 300 })));
  try {
    // An agent learns the controllers' own addresses; the link to them is gone for it.
    const run = await withOptions(bench.cluster, 'n2', '--controllers', relays.map(({ port }) => `${host}:${String(port)}`).join(','));
    try {
      await bench.heard();
      await withRules(['n2'], 'inet', `chain out { type filter hook output priority 0; policy accept; tcp dport { ${apiPorts()} } drop; }`, async () => {
        t.deepEqual(await noneLost(async () => {
          await lasting(SLOW_MS);
          await bench.cluster.ctl('scale', 'load/web=6', '--wait');
          await bench.cluster.ctl('scale', 'load/web=3', '--wait');
        }), []);
      });
    } finally {
      await run.giveBack();
    }
  } finally {
    await Promise.all(relays.map(async relay => { await relay.close(); }));
  }
});

test.serial('D10: each connection of the agents is refused for 10 s: they dial seldom, are back, and nothing is replaced (root)', async t => {
  const revision = await bench.settled();
  const before = bench.pictures();
  const ports = `tcp dport { ${apiPorts()} }`;
  const chains = `counter dials { }\n chain out { type filter hook output priority 0; policy accept; ${ports} tcp flags & (syn | ack) == syn counter name dials; ${ports} reject with tcp reset; }`;
  const startedAtMs = performance.now();
  await withRules(NODES, 'inet', chains, async () => {
    await lasting(REFUSED_MS);
    for (const node of NODES) {
      const { stdout } = await bench.cluster.onNode(node, 'nft', 'list', 'counter', 'inet', TABLE, 'dials');
      const dials = Number(/packets (\d+)/.exec(stdout)?.[1]);
      t.log(`${node}: ${String(dials)} dials`);
      // On a busy machine the fault lasts longer.
      t.true(dials >= 1 && dials <= DIALS * (performance.now() - startedAtMs) / REFUSED_MS, `${node}: ${String(dials)} dials`);
    }
  });
  await bench.heard();
  await bench.settled();
  t.deepEqual(bench.pictures(), before);
  t.deepEqual((await bench.tasksSince(revision)).map(task => task.name), []);
});

test.serial('D11: a node goes without a word: no controller keeps a connection to it (root)', async t => {
  const { address } = bench.cluster.layout.nodes.find(one => one.name === 'n3') ?? { address: '' };
  const connections = async (): Promise<number> => (await requireCommand('ss', ['-Htn', 'state', 'established', `dst ${address}`])).split('\n').filter(line => apiPorts().split(', ').some(port => line.includes(`:${port} `))).length;
  await bench.settled();
  await eventually('a session', 60_000, async () => await connections() > 0);
  try {
    await bench.cut('n3');
    await eventually('its connections to be closed', 60_000, async () => await connections() === 0);
  } finally {
    await bench.mend('n3');
  }
  await bench.heard();
  await bench.settled();
  t.pass();
});

test.serial('A13: the answer to a write is lost and the client asks again: there is one change (root)', async t => {
  const { hostAddress: host, controllers: [first, second] } = bench.cluster.layout;
  const revision = await bench.settled();
  const relay = await TcpRelay.start({ host: '127.0.0.1', upstream: { host, port: first?.apiPort ?? 0 } });
  const through = (address: string): ReturnType<typeof createControlClient> => createControlClient({ controllers: [address], identity: bench.cluster.operatorIdentity() });
  const [lossy, other] = [through(`127.0.0.1:${String(relay.port)}`), through(`${host}:${String(second?.apiPort ?? 0)}`)];
  const request = { requestId: randomUUID(), service: parseServiceId(WEB), replicas: 4 };
  try {
    await lossy.view({});
    relay.swallowAnswers();
    const lost = lossy.scale(request).catch((error: unknown) => error);
    await eventually('the write to land', 60_000, async () => (await bench.live(WEB)).length === 4);
    relay.heal();
    await lost;
    const changes = async (): Promise<number> => {
      await bench.history.catchUp();
      return bench.history.entries.flatMap(({ batch }) => (batch.etcdRevision > revision ? batch.changes : [])).filter(change => change.kind === 'put' && change.entry.key.includes('/services/') && change.entry.key.endsWith('/web')).length;
    };
    await bench.settled();
    const before = await changes();
    t.true(before > 0);
    await other.scale(request);
    await lossy.scale(request);
    t.is(await changes(), before);
    t.is((await bench.tasksSince(revision)).length, 1);
  } finally {
    lossy.close();
    other.close();
    await relay.close();
  }
});
