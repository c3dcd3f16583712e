import test from 'ava';
import type { ClusterView, ServiceView, TaskView } from '#model/ports.ts';
import { isFinished, isServing } from '#model/task.ts';
import { DevCluster, eventually } from '../support/dev-cluster.ts';
import type { Item } from '../support/dev-cluster.ts';
import { pushVariant } from '../support/image-variant.ts';
import { settleNodes } from '../support/node-leftovers.ts';
import { SteadyClient, untilAnswered } from '../support/steady-client.ts';

const PORT = 18082;
const REPLICAS = 3;

interface Version {
  readonly image?: string;
  readonly color?: string;
  readonly page?: string;
}

/** A web server that shows its image, a variable, its configuration and a secret. */
function web({ image = 'hello:1', color = 'red', page = 'one' }: Version): string {
  const command = 'echo "${VERSION:-1} $COLOR $(cat /etc/page) $(cat /run/secrets/word)" > /www/index.html; exec httpd -f -p 80 -h /www';
  return `
apiVersion: gantry/v1
kind: App
metadata: { name: roll }
services:
  web:
    image: ${image}
    command: [/bin/sh, -c, ${JSON.stringify(command.replaceAll('$', '$$$$'))}]
    init: true
    replicas: ${String(REPLICAS)}
    environment: { COLOR: ${color} }
    configs: [{ source: page, target: /etc/page }]
    secrets: [word]
    ports: ["${String(PORT)}:80"]
    healthcheck: { tcp: { port: 80 }, interval: 1s, timeout: 1s, retries: 5, start_period: 1s }
    resources: { requests: { cpus: 0.01, memory: 8Mi }, limits: { memory: 32Mi } }
    restart: { policy: always, max_attempts: 1, delay: 100ms }
    update: { monitor: 1s }
configs:
  page: { content: ${page} }
secrets:
  word: { external: true }
`;
}

const STATEFUL = (color: string): string => `
apiVersion: gantry/v1
kind: App
metadata: { name: state }
services:
  db:
    kind: stateful
    image: hello:1
    command: [/bin/sh, -c, 'exec httpd -f -p 80 -h /www']
    init: true
    replicas: 3
    environment: { COLOR: ${color} }
    volumes: ["data:/data"]
    resources: { requests: { cpus: 0.01, memory: 8Mi }, limits: { memory: 32Mi } }
    update: { monitor: 1s }
volumes:
  data: { per_replica: true }
`;

let cluster: DevCluster;

test.before(async () => {
  cluster = await DevCluster.up();
  await pushVariant(cluster, 'hello', '2', { Env: ['PATH=/bin', 'VERSION=2'] });
  await pushVariant(cluster, 'hello', 'broken', { Entrypoint: ['/bin/false'] });
});

test.after.always(async t => { t.deepEqual(await cluster.down(), []); });

test.serial('env, config, secret, image: one at a time, the old one only after the new one serves, no request fails (root)', async t => {
  await putSecret('alpha');
  await cluster.apply(web({}), '--wait');
  const addresses = cluster.layout.nodes.map(node => `${node.address}:${String(PORT)}`);
  await untilAnswered(addresses);
  const steady = new SteadyClient(addresses);
  const watched = watchApp('roll');
  await cluster.apply(web({ color: 'blue' }), '--wait');
  await cluster.apply(web({ color: 'blue', page: 'two' }), '--wait');
  await putSecret('beta');
  await cluster.apply(web({ color: 'blue', page: 'two' }), '--wait');
  await cluster.apply(web({ color: 'blue', page: 'two', image: 'hello:2' }), '--wait');
  await eventually('the answer of the newest', 60_000, () => steady.answers.has('2 blue two beta'));
  const views = await watched.stop();
  await steady.stop();
  t.deepEqual(steady.failures, []);
  t.deepEqual([...steady.answers.keys()], ['1 red one alpha', '1 blue one alpha', '1 blue two alpha', '1 blue two beta', '2 blue two beta']);
  t.true(views.length > 10, String(views.length));
  t.deepEqual(views.flatMap(view => budgetProblems(view)), []);
});

test.serial('an image that is not there is refused, and nothing changes', async t => {
  const before = (await cluster.tasks('roll/web')).map(task => task['id']);
  const refused = await cluster.tryApply(web({ color: 'blue', page: 'two', image: 'hello:none' }));
  t.is(refused.exitCode, 1);
  t.regex(refused.stderr, /manifest\.yaml:\d+:\d+ services\.web\.image: /);
  t.deepEqual((await cluster.tasks('roll/web')).map(task => task['id']), before);
});

test.serial('an image that ends at once is rolled back by itself, its config too; no request fails', async t => {
  const steady = new SteadyClient([`${cluster.layout.nodes[0]?.address ?? ''}:${String(PORT)}`]);
  const watched = watchApp('roll');
  const failed = await cluster.tryApply(web({ color: 'green', page: 'three', image: 'hello:broken' }), '--wait');
  t.is(failed.exitCode, 1);
  t.regex(failed.stderr, /rolled back: revision \d+ rolled back to \d+: web-.*exit code 1/);
  await eventually('the old version whole again', 60_000, async () => {
    const tasks = await cluster.tasks('roll/web');
    return tasks.length === REPLICAS && tasks.every(task => task['health'] === 'healthy');
  });
  const views = await watched.stop();
  await steady.stop();
  t.deepEqual(steady.failures, []);
  t.deepEqual([...steady.answers.keys()], ['2 blue two beta']);
  t.deepEqual(views.flatMap(view => budgetProblems(view)), []);
  const service = JSON.parse(await cluster.ctl('get', 'svc', 'roll/web', '-o', 'json')) as Item;
  t.like(service, { rollout: { state: 'rolled_back' } });
  t.regex(JSON.stringify(service['rollout']), /exit code 1/);
  await eventually('events to tell it', 60_000, async () => (await cluster.ctl('events')).includes('RolledBack'));
});

test.serial('after a rollback what is in force can be applied; what was rolled back is tried again, and the scale stays', async t => {
  const good = { color: 'blue', page: 'two', image: 'hello:2' };
  t.regex(await cluster.apply(web(good), '--wait'), /unchanged \(revision \d+ is in force\)/);
  t.regex(await cluster.ctl('rollout', 'status', 'roll/web'), /rolled_back/);
  await cluster.ctl('wait', 'roll/web', '--for', 'healthy');
  await cluster.ctl('scale', 'roll/web=4', '--wait');
  const again = await cluster.tryApply(web({ ...good, image: 'hello:broken' }), '--wait');
  t.is(again.exitCode, 1);
  t.regex(again.stderr, /rolled back: revision \d+ rolled back to \d+: /);
  await eventually('four of the version in force', 60_000, async () => (await cluster.tasks('roll/web')).filter(task => task['health'] === 'healthy').length === 4);
  await cluster.ctl('scale', `roll/web=${String(REPLICAS)}`, '--wait');
});

test.serial('scaled in the middle of a rollout it comes to both', async t => {
  await cluster.apply(web({ color: 'white', page: 'two', image: 'hello:2' }));
  await eventually('the rollout to begin', 60_000, async () => (await cluster.items('ps')).filter(task => task['app'] === 'roll').length > REPLICAS);
  await cluster.ctl('scale', 'roll/web=5', '--wait');
  const client = cluster.client();
  try {
    const service = await eventually('five of the new version', 60_000, async () => {
      const view = await client.view({ app: 'roll' });
      const live = view.tasks.filter(isLive);
      return live.length === 5 && live.every(row => row.status !== undefined && isServing(row.status) && isNewest(row, view.services[0])) && view.services[0];
    });
    t.is(service.wanted, 5);
  } finally {
    client.close();
  }
});

test.serial('stateful: never two of an ordinal, in a rollout and in a scale down', async t => {
  await cluster.apply(STATEFUL('red'), '--wait');
  const watched = watchApp('state');
  await cluster.apply(STATEFUL('blue'), '--wait');
  await cluster.ctl('scale', 'state/db=1', '--wait');
  await cluster.ctl('scale', 'state/db=3', '--wait');
  const views = await watched.stop();
  const doubles = views.flatMap(view => [0, 1, 2].filter(slot => view.tasks.filter(row => row.task.slot === slot && mayRun(row)).length > 1));
  t.deepEqual(doubles, []);
  t.deepEqual((await cluster.tasks('state/db')).map(task => task['name']).sort(), ['db-0', 'db-1', 'db-2']);
});

test.serial('delete waits until nothing of the App is left', async t => {
  await cluster.ctl('delete', 'app/roll');
  t.deepEqual((await cluster.items('ps', '-a')).filter(task => task['app'] === 'roll'), []);
  await cluster.ctl('delete', 'app/state');
  t.deepEqual(await cluster.items('get', 'apps'), []);
  await t.notThrowsAsync(settleNodes(cluster));
});

async function putSecret(text: string): Promise<void> {
  const client = cluster.client();
  try {
    await client.putSecret({ requestId: crypto.randomUUID(), namespace: 'default', name: 'word', content: new TextEncoder().encode(text) });
  } finally {
    client.close();
  }
}

/** Every view of an App that a watcher is shown. */
function watchApp(app: string): { readonly stop: () => Promise<readonly ClusterView[]> } {
  const client = cluster.client();
  const end = new AbortController();
  const views: ClusterView[] = [];
  const watching = (async () => {
    for await (const view of client.watch({ app }, end.signal)) {
      views.push(view);
    }
  })().catch((error: unknown) => {
    if (!end.signal.aborted) throw error;
  });
  return {
    stop: async () => {
      end.abort();
      await watching;
      client.close();
      return views;
    },
  };
}

/** Fewer that serve than wanted, or more copies than one above. */
function budgetProblems({ tasks }: ClusterView): readonly string[] {
  const serving = tasks.filter(row => isLive(row) && row.status !== undefined && isServing(row.status)).length;
  const copies = tasks.filter(mayRun).length;
  return [
    ...(serving < REPLICAS ? [`${String(serving)} serve`] : []),
    ...(copies > REPLICAS + 1 ? [`${String(copies)} copies`] : []),
  ];
}

function isLive(row: TaskView): boolean {
  return row.task.desired === 'run' && mayRun(row);
}

function mayRun({ status }: TaskView): boolean {
  return status === undefined || !isFinished(status.phase);
}

function isNewest({ task }: TaskView, view: ServiceView | undefined): boolean {
  return task.templateHash === view?.service.templateHash;
}
