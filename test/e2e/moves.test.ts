import { existsSync, rmSync } from 'node:fs';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { DevCluster, eventually } from '../support/dev-cluster.ts';
import { RequestLoad } from '../support/request-load.ts';
import { untilAnswered } from '../support/steady-client.ts';

const PORT = 18087;
/** Requests each second, half of them on connections that are kept alive. RATE=500 asserts that so many are sent: for a machine that does nothing else. */
const RATE = Number(process.env['RATE'] ?? 100);
const IS_RATE_GIVEN = process.env['RATE'] !== undefined;
/** So much more is sent than is asserted. */
const SURPLUS = 1.02;
const CONNECTIONS = 16;

/** HTTP/1.1; told to end, it closes each connection with its next answer, and ends when those that are kept alive have had one. */
const SERVER = `
import asyncio, signal, time
page = open('/etc/page', 'rb').read()
connections = set()
class Connection(asyncio.Protocol):
    is_ending = False
    def connection_made(self, transport):
        self.transport, self.asked = transport, b''
        connections.add(self)
    def data_received(self, part):
        head, end, self.asked = (self.asked + part).rpartition(b'\\r\\n\\r\\n')
        if end:
            is_last = Connection.is_ending or b'connection: close' in head.lower()
            self.transport.write(b'HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n%s\\r\\n%s' % (len(page), b'Connection: close\\r\\n' if is_last else b'', page))
            if is_last:
                self.transport.close()
    def connection_lost(self, _):
        connections.discard(self)
async def main():
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    await asyncio.get_running_loop().create_server(Connection, '0.0.0.0', 80, backlog=512)
    await told.wait()
    Connection.is_ending, until = True, time.monotonic() + 8
    await asyncio.sleep(1)
    while connections and time.monotonic() < until:
        await asyncio.sleep(0.05)
asyncio.run(main())
`;

const indent = (text: string): string => text.trim().split('\n').map(line => `      ${line}`).join('\n');

function web(page: string, replicas: number, more = 'update: { monitor: 500ms }'): string {
  return `
apiVersion: gantry/v1
kind: App
metadata: { name: moves }
services:
  web:
    image: shop-app:1
    entrypoint: [python3, /srv/server.py]
    replicas: ${String(replicas)}
    configs: [{ source: server, target: /srv/server.py }, { source: page, target: /etc/page }]
    ports: ["${String(PORT)}:80"]
    healthcheck: { tcp: { port: 80 }, interval: 500ms, timeout: 1s, retries: 3, start_period: 10s }
    resources: { requests: { cpus: 0.01, memory: 16Mi }, limits: { memory: 64Mi } }
    ${more}
configs:
  page: { content: ${page} }
  server:
    content: |
${indent(SERVER)}
`;
}

let cluster: DevCluster;

test.before(async () => { cluster = await DevCluster.up({ images: ['shop'] }); });
test.after.always(async t => { t.deepEqual(await cluster.down(), []); });

/**
 * Nothing of either load may fail while `work` is done.
 *
 * @param entry  the node whose published port is asked; default: the first
 */
async function underLoad(t: ExecutionContext, work: () => Promise<void>, entry = cluster.layout.nodes[0]): Promise<void> {
  const url = `http://${entry?.address ?? ''}:${String(PORT)}/`;
  await untilAnswered([new URL(url).host]);
  const perSecond = SURPLUS * RATE / 2;
  await using fresh = new RequestLoad(url, perSecond);
  await using kept = new RequestLoad(url, perSecond, CONNECTIONS);
  const startedAtMs = performance.now();
  await work();
  const seconds = (performance.now() - startedAtMs) / 1_000;
  const ends = await Promise.all([fresh.stop(), kept.stop()]);
  const reached = ends.reduce((sum, end) => sum + end.perSecond, 0);
  t.log(`${ends.map(end => `${String(end.sent)} sent, ${String(end.failures.length)} failed`).join('; ')} in ${seconds.toFixed(1)} s: ${reached.toFixed(0)} a second`);
  t.deepEqual(ends.flatMap(end => end.failures), []);
  // A shared machine may be slow, but not so slow that the load says nothing.
  const least = IS_RATE_GIVEN ? RATE : RATE / 4;
  t.true(ends.every(end => end.sent > 0));
  t.true(reached >= least, `${reached.toFixed(1)} requests a second, not ${String(least)}`);
}

const nodesOf = async (): Promise<readonly string[]> => (await cluster.tasks('moves/web')).map(task => String(task['node'])).sort();

test.serial('a config change under load, in steps and all at once: no request fails (root)', async t => {
  await cluster.apply(web('one', 3), '--wait');
  await underLoad(t, async () => {
    await cluster.apply(web('two', 3), '--wait');
    await cluster.apply(web('three', 3, 'update: { monitor: 500ms, strategy: canary, steps: [30%] }'), '--wait');
    await cluster.apply(web('four', 3, 'update: { monitor: 500ms, strategy: blue_green }'), '--wait');
  });
});

test.serial('a config that breaks goes back by itself, and undo goes to any revision: no request fails', async t => {
  await underLoad(t, async () => {
    const broken = await cluster.tryApply(web('five', 3).replace('.create_server(', '.create_nobody('), '--wait');
    t.is(broken.exitCode, 1);
    t.regex(broken.stderr, /rolled back/);
    await cluster.ctl('rollout', 'undo', 'moves/web', '--to-revision', '1', '--wait');
  });
  t.regex(await cluster.ctl('rollout', 'history', 'moves/web'), /undo to revision 1 of web/);
});

test.serial('the node of the only replica is drained, it leaves, a node is added, and what is uneven is rebalanced: no request fails', async t => {
  await cluster.ctl('scale', 'moves/web=1', '--wait');
  const [before = ''] = await nodesOf();
  await underLoad(t, async () => { await cluster.ctl('node', 'drain', before); });
  t.not((await nodesOf())[0], before);
  await cluster.ctl('scale', 'moves/web=4', '--wait');
  t.false((await nodesOf()).includes(before));
  await underLoad(t, async () => {
    await cluster.ctl('node', 'rm', before, '-y');
    await addNode(before);
    // It may be silent for a moment: then the plan says so, and the next one moves.
    await eventually('a task on the node that was added', 120_000, async () => {
      await cluster.nodesTakeTasks();
      t.log(await cluster.ctl('rebalance', '--max-moves', '3'));
      return (await nodesOf()).includes(before);
    });
  }, cluster.layout.nodes.find(node => node.name !== before));
  await cluster.ctl('delete', 'app/moves');
});

/** A new node on the machine of one that was removed: it joins with a token, and has nothing but the images of the one before. */
async function addNode(name: string): Promise<void> {
  const { hostAddress, stateDir, controllers: [controller] } = cluster.layout;
  await cluster.ctl('dev', 'kill', name, '--name', cluster.name);
  rmSync(`${stateDir}/${name}/config`, { recursive: true });
  const token = (await cluster.ctl('token', 'create', '-q')).trim();
  await cluster.ctl('join', `${hostAddress}:${String(controller?.joinPort)}`, '--token', token, '--node', name, '--config-dir', `${stateDir}/${name}/config`, '--state-dir', `${stateDir}/${name}/state`);
  await cluster.ctl('dev', 'start', name, '--name', cluster.name);
}

const HELD = `
apiVersion: gantry/v1
kind: App
metadata: { name: held }
services:
  db:
    kind: stateful
    image: shop-app:1
    entrypoint: [python3, -c, "import signal; signal.pause()"]
    stop_grace_period: 1s
    volumes: ["data:/data"]
    resources: { requests: { cpus: 0.01, memory: 16Mi }, limits: { memory: 64Mi } }
  web:
    image: shop-app:1
    entrypoint: [python3, -c, "import signal; signal.pause()"]
    replicas: 3
    stop_grace_period: 1s
    resources: { requests: { cpus: 0.01, memory: 16Mi }, limits: { memory: 64Mi } }
volumes:
  data: { per_replica: true }
`;

test.serial('a task whose volume is on the node: the drain moves the others, says what stays and ends; by force it waits for its node (root)', async t => {
  await cluster.apply(HELD, '--wait');
  const [db] = await cluster.tasks('held/db');
  const node = String(db?.['node']);
  const drained = await cluster.tryCtl('node', 'drain', node, '--timeout', '2m');
  t.is(drained.exitCode, 1, drained.stderr);
  t.regex(drained.stderr, new RegExp(`task/${String(db?.['id'])}: held/db: .*has the data of volume default/data-0; stop it with --force`));
  t.deepEqual((await cluster.tasks()).filter(task => task['node'] === node).map(task => task['id']), [db?.['id']]);
  t.like(JSON.parse(await cluster.ctl('get', 'node', node, '-o', 'json')), { state: 'draining', drained: false });

  await cluster.ctl('node', 'drain', node, '--force');
  t.like(JSON.parse(await cluster.ctl('get', 'node', node, '-o', 'json')), { state: 'draining', drained: true });
  t.regex(await cluster.ctl('get', 'nodes'), new RegExp(`^${node} +drained `, 'm'));
  await cluster.ctl('node', 'uncordon', node);
  await eventually('the task back at its data', 60_000, async () => (await cluster.tasks('held/db')).some(task => task['node'] === node && task['state'] === 'running'));
  await cluster.ctl('delete', 'app/held');
});

/** The data makes it stay: without it, `place` alone would say where it goes. */
const kept = (place: string): string => `
apiVersion: gantry/v1
kind: App
metadata: { name: kept }
services:
  db:
    kind: stateful
    image: shop-app:1
    entrypoint: [python3, -c, "import signal; signal.pause()"]
    stop_grace_period: 1s
    volumes: ["kept:/data"]
    placement: { require: ["${place}"] }
    resources: { requests: { cpus: 0.01, memory: 16Mi }, limits: { memory: 64Mi } }
volumes:
  kept: { per_replica: true }
`;

test.serial('the data of a deleted App is where it comes again; given up, it is gone (root)', async t => {
  const python = async (code: string): Promise<string> => (await cluster.ctl('exec', '--user', '0', 'kept/db', '--', 'python3', '-c', code)).trim();
  const seen = async (): Promise<string> => await python("import os; print(open('/data/file').read() if os.path.exists('/data/file') else 'nothing')");
  const nodeOf = async (): Promise<unknown> => (await cluster.tasks('kept/db'))[0]?.['node'];
  const onDisk = `${cluster.layout.stateDir}/n3/state/volumes/default/kept-0`;
  await cluster.apply(kept('node == n3'), '--wait');
  await python("open('/data/file', 'w').write('one')");
  t.regex((await cluster.tryCtl('volume', 'rm', 'kept-0')).stderr, /volume default\/kept-0 on n3 is used by db-0/);
  t.regex(await cluster.ctl('delete', 'app/kept'), /its volumes stay: kept-0 on n3; remove them with: clusterctl volume rm kept-0 -n default/);
  t.like((await cluster.items('volume', 'ls')).find(volume => volume['name'] === 'kept-0'), { app: 'kept', ordinal: 0, node: 'n3', state: 'unused' });

  await cluster.apply(kept('os == linux'), '--wait');
  t.deepEqual([await nodeOf(), await seen()], ['n3', 'one']);
  t.regex(await cluster.ctl('why', 'kept/db'), /its volume default\/kept-0 is on n3/);

  await cluster.ctl('delete', 'app/kept');
  await cluster.ctl('volume', 'rm', 'kept-0');
  t.false(existsSync(onDisk));
  await cluster.apply(kept('node == n3'), '--wait');
  t.is(await seen(), 'nothing');
  t.notRegex(await cluster.ctl('delete', 'app/kept', '--volumes'), /stay/);
  t.false(existsSync(onDisk));
  t.false((await cluster.items('volume', 'ls', '-a')).some(volume => volume['name'] === 'kept-0'));
});
