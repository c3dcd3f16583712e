/** Services that scale on real nodes: by the cpu that their tasks use, and by a query of a real Prometheus, to none and back. */
import test from 'ava';
import { DevCluster, eventually } from '../support/dev-cluster.ts';
import type { Item } from '../support/dev-cluster.ts';
import { PrometheusProcess } from '../support/prometheus-process.ts';

/** Two looks after the time in which a new task warms up, and room for a slow machine. */
const LIMIT_MS = 120_000;
const BUSY = 'while :; do :; done';
const app = (work: string): string => `
apiVersion: gantry/v1
kind: App
metadata: { name: busy }
services:
  web:
    image: hello:1
    command: [/bin/sh, -c, '${work}']
    stop_grace_period: 0s
    resources: { requests: { cpus: 0.05, memory: 16Mi }, limits: { cpus: 0.1, memory: 32Mi } }
    update: { monitor: 0s }
    autoscale: { min: 1, max: 3, cpu: 50%, stabilization: 0s }
`;

const QUEUE = (waiting: number): string => `
apiVersion: gantry/v1
kind: App
metadata: { name: jobs }
services:
  worker:
    image: hello:1
    command: [/bin/sh, -c, 'sleep 1000000']
    stop_grace_period: 0s
    resources: { requests: { cpus: 0.01, memory: 16Mi }, limits: { memory: 32Mi } }
    update: { monitor: 0s }
    autoscale: { min: 0, max: 3, metric: { query: vector(${String(waiting)}), target: 10 }, stabilization: 0s }
`;

let prometheus: PrometheusProcess;
let cluster: DevCluster;

test.before(async () => {
  prometheus = await PrometheusProcess.startEmpty();
  cluster = await DevCluster.up({ nodes: 1, controllers: 1, prometheusUrl: prometheus.url });
});

test.after.always(async t => {
  t.deepEqual(await cluster.down(), []);
  await prometheus.stop();
});

const shown = async (service = 'busy/web'): Promise<Item> => JSON.parse(await cluster.ctl('get', 'svc', service, '-o', 'json')) as Item;

test.serial('busy tasks get more beside them, up to the most that is allowed, and it is told why (root)', async t => {
  await cluster.apply(app(BUSY), '--wait');
  t.like(await shown(), { replicas: 1, autoscale: { min: 1, max: 3, cpuPercent: 50 } });
  await eventually('three tasks', LIMIT_MS, async () => (await shown())['running'] === 3);
  t.like(await shown(), { replicas: 3, revision: 1 });
  t.regex(await cluster.ctl('describe', 'svc/busy/web'), /reason: cpu is \d+% of what is requested, 50% is aimed at/);
  t.regex(await cluster.ctl('why', 'busy/web'), /wants 3 of 1 to 3 replicas: cpu is/);
  await eventually('the events to tell it', LIMIT_MS, async () => /Scaled .*to 3 replicas/.test(await cluster.ctl('events')));
});

test.serial('it is not scaled by hand, and an apply keeps its number until less is wanted (root)', async t => {
  const refused = await cluster.tryCtl('scale', 'busy/web=2');
  t.is(refused.exitCode, 1);
  t.regex(refused.stderr, /scales by itself, from 1 to 3 replicas/);
  await cluster.apply(app('sleep 1000000'), '--wait');
  t.like(await shown(), { replicas: 3, revision: 2 });
  await eventually('one task', LIMIT_MS, async () => (await shown())['running'] === 1);
  t.like(await shown(), { replicas: 1, revision: 2 });
});

test.serial('the value of a query is shared among the replicas, to none and back (root, needs prometheus)', async t => {
  await cluster.apply(QUEUE(25), '--wait');
  await eventually('three workers', LIMIT_MS, async () => (await shown('jobs/worker'))['running'] === 3);
  t.regex(await cluster.ctl('why', 'jobs/worker'), /wants 3 of 0 to 3 replicas: the metric is 25, 10 for each replica/);
  await cluster.apply(QUEUE(0));
  await eventually('no worker', LIMIT_MS, async () => (await shown('jobs/worker'))['running'] === 0);
  await cluster.apply(QUEUE(4));
  await eventually('one worker', LIMIT_MS, async () => (await shown('jobs/worker'))['running'] === 1);
});
