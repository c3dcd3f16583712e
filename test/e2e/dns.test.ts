import test from 'ava';
import { runCommand } from '#kit/command-process.ts';
import { DevCluster, eventually } from '../support/dev-cluster.ts';
import { settleNodes } from '../support/node-leftovers.ts';

const RESOURCES = 'resources: { requests: { cpus: 0.01, memory: 8Mi }, limits: { memory: 32Mi } }';
const NAMES = `
apiVersion: gantry/v1
kind: App
metadata: { name: names }
services:
  web:
    image: hello:1
    init: true
    replicas: 2
    ports: [{ target: 80 }]
    ${RESOURCES}
  db:
    kind: stateful
    image: hello:1
    init: true
    replicas: 2
    ${RESOURCES}
  asker:
    image: hello:1
    init: true
    command: [sleep, "100000"]
    ${RESOURCES}
---
apiVersion: gantry/v1
kind: App
metadata: { name: other }
services:
  web:
    image: hello:1
    init: true
    ports: [{ target: 80 }]
    ${RESOURCES}
`;

/** What the names lead to. */
interface Place {
  readonly pid: number;
  readonly resolvConf: string;
  readonly virtualIps: ReadonlyMap<string, string>;
  readonly web: readonly string[];
  readonly db: readonly string[];
}

/** A resolver that waits for an answer that never comes waits 5 s and more, each time; a busy machine may be slow once. */
const QUICK_MS = 4_500;
const TRIES = 4;
const LIMIT_MS = 60_000;

let cluster: DevCluster;
let place: Place;

test.before(async () => {
  cluster = await DevCluster.up();
  await cluster.apply(NAMES, '--wait');
  const [asker] = await cluster.tasks('names/asker');
  const services = await cluster.items('get', 'svc');
  place = {
    pid: Number(asker?.['pid']),
    resolvConf: `${cluster.layout.runDir}/${String(asker?.['node'])}/bundles/gantry-${String(asker?.['id'])}-1/resolv.conf`,
    virtualIps: new Map(services.map(one => [`${String(one['name'])}.${String(one['app'])}`, String(one['virtualIp'])])),
    web: await addressesOf('names/web'),
    db: await addressesOf('names/db'),
  };
});

test.after.always(async t => { t.deepEqual(await cluster.down(), []); });

const NAMED: readonly (readonly [name: string, addresses: (at: Place) => readonly (string | undefined)[]])[] = [
  ['web', at => [at.virtualIps.get('web.names')]],
  ['web.names', at => [at.virtualIps.get('web.names')]],
  ['web.names.default', at => [at.virtualIps.get('web.names')]],
  ['web.names.default.gantry.internal', at => [at.virtualIps.get('web.names')]],
  ['web.other', at => [at.virtualIps.get('web.other')]],
  ['tasks.web', at => at.web.toSorted()],
  ['db-0.db', at => [at.db[0]]],
  ['db-1.db.names.default', at => [at.db[1]]],
];

for (const [name, addresses] of NAMED) {
  test.serial(`${name} inside a task (root)`, async t => {
    await names(name, addresses(place));
    t.pass();
  });
}

test.serial('programs of the container find what they ask for', async t => {
  for (const [name, answer] of [['web', /^hello from web-/], ['web.names.default', /^hello from web-/], ['tasks.web', /^hello from web-/], ['db-1.db', /^hello from db-1 /]] as const) {
    t.regex((await inside('/bin/wget', '-q', '-T', '5', '-O', '-', `http://${name}/`)).stdout, answer, name);
  }
  t.regex((await inside('/bin/nslookup', 'web')).stdout, new RegExp(`Name:\\s+web\\.names\\.default\\.gantry\\.internal\\nAddress: ${place.virtualIps.get('web.names') ?? ''}\n`));
});

test.serial('what is not there is denied at once, and so is an IPv6 address', async t => {
  for (const name of ['nosuch', 'nosuch.names', 'nosuch.gantry.internal', 'db-7.db']) {
    t.is(await quickly('/bin/wget', '-T', '10', `http://${name}/`), '');
    t.deepEqual(await getent(name), [], name);
  }
  t.notRegex(await quickly('/bin/nslookup', '-type=aaaa', 'web.names.default.gantry.internal'), /can't find|timed out/);
});

test.serial('names go with the tasks', async t => {
  await cluster.ctl('scale', 'names/web=1', '--wait');
  const left = await addressesOf('names/web');
  t.is(left.length, 1);
  await names('tasks.web', left);
  await cluster.ctl('delete', 'app/other');
  await names('web.other', []);
});

test.serial('names are answered with every agent and controller dead', async t => {
  const programs = [...cluster.layout.controllers, ...cluster.layout.nodes].map(one => one.name);
  for (const name of programs) {
    await cluster.ctl('dev', 'kill', '--name', cluster.name, name);
  }
  t.deepEqual(await getent('web'), [place.virtualIps.get('web.names')]);
  t.deepEqual(await getent('db-0.db'), [place.db[0]]);
  t.regex((await inside('/bin/wget', '-q', '-T', '5', '-O', '-', 'http://web/')).stdout, /^hello from web-/);
  t.deepEqual(await getent('nosuch'), []);
  for (const name of programs) {
    await cluster.ctl('dev', 'start', '--name', cluster.name, name);
  }
  await eventually('the nodes to be ready', 60_000, async () => (await cluster.items('get', 'nodes')).every(node => node['state'] === 'ready'));
  await t.notThrowsAsync(settleNodes(cluster));
});

/** Waits until the name leads there: names follow the tasks. */
async function names(name: string, addresses: readonly (string | undefined)[]): Promise<void> {
  await eventually(`${name} to be ${addresses.join(' ')}`, LIMIT_MS, async () => JSON.stringify(await getent(name)) === JSON.stringify(addresses));
}

/** In the order of the tasks' names. */
async function addressesOf(service: string): Promise<readonly string[]> {
  const tasks = await cluster.tasks(service);
  return tasks.toSorted((left, right) => (String(left['name']) < String(right['name']) ? -1 : 1)).map(task => String(task['address']));
}

/** Runs a program of the asking container in its namespaces, past the agent. */
async function inside(...command: readonly string[]): Promise<{ readonly stdout: string }> {
  return await runCommand('nsenter', ['-t', String(place.pid), '-m', '-n', '-u', '--', ...command], { timeoutMs: 60_000 });
}

/** What it printed, without any wait for a name server. @throws Error where it waited each time */
async function quickly(...command: readonly string[]): Promise<string> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const startedAt = performance.now();
    const { stdout } = await inside(...command);
    if (performance.now() - startedAt < QUICK_MS) return stdout;
  }
  throw new Error(`${command.join(' ')} took more than ${String(QUICK_MS)} ms, ${String(TRIES)} times`);
}

/** What the C library's resolver answers there, with the task's resolv.conf: addresses in order, none for an unknown name. */
async function getent(name: string): Promise<readonly string[]> {
  const { stdout } = await runCommand('nsenter', ['-t', String(place.pid), '-n', 'unshare', '-m',
    'sh', '-c', 'mount --bind "$1" /etc/resolv.conf && exec getent ahostsv4 "$2"', 'sh', place.resolvConf, name], { timeoutMs: 60_000 });
  return [...new Set(stdout.split('\n').map(line => line.split(' ')[0] ?? '').filter(address => address !== ''))].sort();
}
