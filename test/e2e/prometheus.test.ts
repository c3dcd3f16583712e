import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { systemClock } from '#kit/clock.ts';
import { requireCommand, runCommand } from '#kit/command-process.ts';
import { NatsNews } from '#news/nats-client.ts';
import { DevCluster, eventually } from '../support/dev-cluster.ts';
import { PrometheusProcess } from '../support/prometheus-process.ts';
import { silentLogger } from '../support/silent-logger.ts';

const DEPLOY = path.resolve(import.meta.dirname, '../../deploy');
const LIMIT_MS = 60_000;
const PORT = 18_090;
const APP = (name: string): string => `
apiVersion: gantry/v1
kind: App
metadata: { name: ${name} }
services:
  web:
    image: hello:1
    init: true
    replicas: 3
    ${name === 'seen' ? `ports: ["${String(PORT)}:80"]` : ''}
    resources: { requests: { cpus: 0.01, memory: 16Mi }, limits: { memory: 32Mi } }
`;

interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets: readonly { readonly expr: string }[] }[];
}

let cluster: DevCluster;
let prometheus: PrometheusProcess;

test.before(async () => {
  cluster = await DevCluster.up();
  const { hostAddress, controllers, stateDir } = cluster.layout;
  prometheus = await PrometheusProcess.start(controllers.map(({ metricsPort }) => `${hostAddress}:${String(metricsPort)}`), `${stateDir}/pki/prometheus`);
});

test.after.always(async t => {
  await prometheus.stop();
  t.deepEqual(await cluster.down(), []);
});

test.serial('Prometheus finds two controllers and three agents by itself, and may read nothing but metrics (root)', async t => {
  const targets = await eventually('five targets that are up', LIMIT_MS, async () => {
    const all = await prometheus.targets();
    return all.length === 5 && all.every(target => target.health === 'up') && all;
  });
  t.deepEqual(targets.map(({ labels }) => `${labels['job'] ?? ''} ${labels['controller'] ?? labels['node'] ?? ''}`).sort(),
    ['gantry-agent n1', 'gantry-agent n2', 'gantry-agent n3', 'gantry-controller c1', 'gantry-controller c2']);
  const { hostAddress, controllers, stateDir } = cluster.layout;
  const [first] = controllers;
  const url = `https://${hostAddress}:${String(first?.metricsPort)}/metrics`;
  const pki = `${stateDir}/pki/prometheus`;
  const shown = await runCommand('curl', ['-s', '-f', '--cacert', `${pki}/ca.pem`, '--cert', `${pki}/certificate.pem`, '--key', `${pki}/key.pem`, url]);
  t.is(shown.exitCode, 0, shown.stderr);
  const refused = await runCommand('curl', ['-s', '-f', '--cacert', `${pki}/ca.pem`, url]);
  t.not(refused.exitCode, 0, 'a caller without a certificate is refused');
});

test.serial('every panel of the dashboards shows data (root)', async t => {
  await cluster.apply(APP('seen'), '--wait');
  for (const file of readdirSync(`${DEPLOY}/grafana`)) {
    const { panels } = JSON.parse(readFileSync(`${DEPLOY}/grafana/${file}`, 'utf8')) as Dashboard;
    for (const { title, targets } of panels) {
      for (const { expr } of targets) {
        const series = await eventually(`data of ${title}: ${expr}`, LIMIT_MS, async () => {
          const found = await prometheus.query(expr.replaceAll(/\$(?:namespace|app|service)\b/g, '.*'));
          return found.length > 0 && found;
        });
        t.true(series.length > 0, title);
      }
    }
  }
});

test.serial('what is shown is true: tasks, their memory, what they sent (root)', async t => {
  const tasks = await cluster.tasks('seen/web');
  const memory = await eventually('memory of three tasks', LIMIT_MS, async () => {
    const series = await prometheus.query('gantry_task_memory_bytes{app="seen"}');
    return series.length === 3 && series;
  });
  t.deepEqual(memory.map(({ metric }) => `${metric['task'] ?? ''} ${metric['node'] ?? ''}`).sort(), tasks.map(task => `${String(task['id'])} ${String(task['node'])}`).sort());
  for (const { metric } of await prometheus.query('gantry_task_memory_limit_bytes{app="seen"}')) {
    t.deepEqual(await valueOf(`gantry_task_memory_limit_bytes{task="${metric['task'] ?? ''}"}`), 32 * 1024 ** 2);
  }
  const before = await valueOf('sum(gantry_task_network_transmit_bytes_total{app="seen"})');
  for (let count = 0; count < 20; count += 1) {
    await requireCommand('curl', ['-s', '-m', '5', `http://127.0.0.1:${String(PORT)}/`]);
  }
  await eventually('20 answers in the counters of the links', LIMIT_MS, async () => await valueOf('sum(gantry_task_network_transmit_bytes_total{app="seen"})') > before + 20 * 100);
  t.is(await valueOf('sum(gantry_sessions)'), 3);
  t.is(await valueOf('sum(gantry_leader)'), 1);
  const ends = await prometheus.query('min by (certificate) (gantry_certificate_expiration_timestamp_seconds) > time()');
  t.deepEqual(ends.map(({ metric }) => metric['certificate']).sort(), ['ca', 'controller', 'etcd', 'etcd-ca', 'etcd-client', 'nats', 'node', 'operator', 'prometheus', 'registry']);
});

test.serial('who listens to NATS hears of services from the controller and of tasks from agents, as it happens (root)', async t => {
  const identity = cluster.operatorIdentity();
  const news = new NatsNews({
    servers: [`${cluster.layout.hostAddress}:${String(cluster.layout.natsPort)}`], identity: () => identity, onGap: () => undefined, clock: systemClock, log: silentLogger,
  });
  const ending = new AbortController();
  const kinds = new Set<string>();
  const heard = Promise.all([
    news.run(ending.signal),
    (async () => { for await (const event of news.events(ending.signal)) kinds.add(event.object.split('/')[0] ?? ''); })(),
  ]);
  await eventually('a connection', LIMIT_MS, () => news.isConnected);
  await cluster.ctl('restart', 'seen/web');
  await eventually('events of both kinds', LIMIT_MS, () => kinds.has('service') && kinds.has('task'));
  ending.abort();
  await heard;
  t.pass();
});

test.serial('with NATS dead all goes on but the live view; it is told, and over when NATS is back (root)', async t => {
  await eventually('NATS connected everywhere', LIMIT_MS, async () => await valueOf('sum(gantry_nats_connected)') === 2);
  await cluster.ctl('dev', 'kill', 'nats', '--name', cluster.name);
  await eventually('NATS away everywhere', LIMIT_MS, async () => await valueOf('sum(gantry_nats_connected)') === 0);
  await cluster.apply(APP('blind'), '--wait');
  t.is((await cluster.tasks('blind/web')).filter(task => task['state'] === 'running').length, 3);
  await cluster.ctl('scale', 'blind/web=1', '--wait');
  await eventually('events to tell of it', LIMIT_MS, async () => (await cluster.ctl('events', '-o', 'json')).includes('blind'));
  t.is((await cluster.tryCtl('logs', 'blind/web')).exitCode, 0);
  await eventually('news that was dropped', LIMIT_MS, async () => await valueOf('sum(gantry_news_dropped_total)') > 0);
  await cluster.ctl('dev', 'start', 'nats', '--name', cluster.name);
  await eventually('NATS connected again', LIMIT_MS, async () => await valueOf('sum(gantry_nats_connected)') === 2);
});

test.serial('a dead agent is a target that is down, and an alert that waits (root)', async t => {
  await cluster.ctl('dev', 'kill', 'n3', '--name', cluster.name);
  await eventually('n3 down', LIMIT_MS, async () => await valueOf('up{node="n3"}') === 0);
  await eventually('the alert', LIMIT_MS, async () => (await prometheus.alerts()).some(alert => alert.startsWith('GantryTargetDown')));
  await cluster.ctl('dev', 'start', 'n3', '--name', cluster.name);
  await eventually('n3 up', LIMIT_MS, async () => await valueOf('up{node="n3"}') === 1);
  t.pass();
});

test('the alerts are valid and do what their tests say', async t => {
  t.regex(await requireCommand('promtool', ['check', 'rules', `${DEPLOY}/prometheus/rules.yml`]), /SUCCESS/);
  t.regex(await requireCommand('promtool', ['test', 'rules', `${DEPLOY}/prometheus/rules.test.yml`]), /SUCCESS/);
});

/** Of the one series that answers; NaN while there is none. */
async function valueOf(expression: string): Promise<number> {
  const [series] = await prometheus.query(expression);
  return Number(series?.value[1] ?? Number.NaN);
}
