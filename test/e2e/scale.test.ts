import test from 'ava';
import { DevCluster, eventually } from '../support/dev-cluster.ts';
import type { Item } from '../support/dev-cluster.ts';
import { answersFrom, helloOf, HUNGRY, limitsOf } from '../support/hello-tasks.ts';
import { settleNodes } from '../support/node-leftovers.ts';

const MIB = 1024 * 1024;
const HELLO = `
apiVersion: gantry/v1
kind: App
metadata: { name: hello }
services:
  web:
    image: hello:1
    replicas: 3
    ports: ["18081:80"]
    healthcheck: { tcp: { port: 80 }, interval: 2s, timeout: 1s, retries: 3, start_period: 5s }
    resources: { requests: { cpus: 0.01, memory: 16Mi }, limits: { memory: 32Mi, pids: 20 } }
`;

let cluster: DevCluster;

test.before(async () => { cluster = await DevCluster.up(); });

test.after.always(async t => { t.deepEqual(await cluster.down(), []); });

test.serial('sixty tasks are twenty a node, each with an address of its own that answers from another node (root)', async t => {
  const applied = await cluster.tryApply(HELLO, '--wait');
  t.is(applied.exitCode, 0, applied.stderr);
  // Unless a node was too slow to confirm, which is told, each leads requests there as soon as `--wait` has ended.
  for (const { name, address } of applied.stderr.includes('not every node has confirmed') ? [] : cluster.layout.nodes) {
    t.regex((await cluster.onNode(name, 'curl', '-s', '-m', '20', `http://${address}:18081/`)).stdout, /^hello from web-/, name);
  }
  await cluster.nodesTakeTasks();
  await cluster.ctl('scale', 'hello/web=60', '--wait');
  const tasks = await cluster.tasks('hello/web');
  t.is(tasks.filter(task => task['state'] === 'running' && task['health'] === 'healthy').length, 60);
  t.deepEqual(['n1', 'n2', 'n3'].map(node => tasks.filter(task => task['node'] === node).length), [20, 20, 20]);
  t.is(new Set(tasks.map(task => task['address'])).size, 60);
  for (const [from, to] of [['n1', 'n2'], ['n2', 'n3'], ['n3', 'n1']] as const) {
    t.deepEqual(await answersFrom(cluster, from, tasks.filter(task => task['node'] === to)), tasks.filter(task => task['node'] === to).map(helloOf).sort());
  }
});

test.serial('the program is pid 1 of its own world, named after its task', async t => {
  const [task] = await cluster.tasks('hello/web');
  const inside = async (...command: readonly string[]): Promise<string> => (await cluster.ctl('exec', `task/${String(task?.['id'])}`, '--', ...command)).trim();
  t.is(await inside('hostname'), String(task?.['name']));
  t.regex((await inside('cat', '/proc/1/cmdline')).replaceAll('\0', ' '), /^httpd -f -p 80/);
  t.deepEqual((await inside('sh', '-c', 'echo /proc/[0-9]*')).split(' ').filter(entry => entry === '/proc/1').length, 1);
  t.regex(await inside('ip', '-4', 'addr', 'show', 'eth0'), new RegExp(String(task?.['address']).replaceAll('.', '\\.')));
});

test.serial('limits are in force in the kernel', async t => {
  const [task] = await cluster.tasks('hello/web');
  const { memory, pids } = await limitsOf(cluster, task);
  t.is(memory, 32 * MIB);
  t.is(pids, 20);
});

test.serial('allocating over the limit is told as OOMKilled with 137', async t => {
  await cluster.apply(HUNGRY);
  const exit = await eventually('an end by OOM', 60_000, async () => (await cluster.items('ps', '-a')).find(task => task['service'] === 'eater' && task['lastExit'] !== null));
  t.like(exit, { exitCode: 137, lastExit: { code: 137, reason: 'OOMKilled' } });
  const described = await cluster.ctl('describe', `task/${String(exit['id'])}`);
  t.regex(described, /reason: OOMKilled/);
  t.regex(described, /exitCode: 137/);
  await cluster.ctl('delete', 'app/hungry');
});

test.serial('scale --wait back to three ends when the surplus has ended, and nothing of it is left', async t => {
  await cluster.ctl('scale', 'hello/web=3', '--wait');
  const all = await cluster.items('ps', '-a');
  t.deepEqual(countBy(all, task => String(task['state'])), { running: 3, complete: 57 });
  await t.notThrowsAsync(settleNodes(cluster));
});

function countBy(tasks: readonly Item[], key: (task: Item) => string): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const task of tasks) {
    counts[key(task)] = (counts[key(task)] ?? 0) + 1;
  }
  return counts;
}
