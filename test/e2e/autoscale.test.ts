/** A service that scales by the cpu that its tasks use, on real nodes: up while they are busy, down when they are not. */
import test from 'ava';
import { DevCluster, eventually } from '../support/dev-cluster.ts';
import type { Item } from '../support/dev-cluster.ts';

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

let cluster: DevCluster;

test.before(async () => { cluster = await DevCluster.up({ nodes: 1, controllers: 1 }); });

test.after.always(async t => { t.deepEqual(await cluster.down(), []); });

const shown = async (): Promise<Item> => JSON.parse(await cluster.ctl('get', 'svc', 'busy/web', '-o', 'json')) as Item;

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
