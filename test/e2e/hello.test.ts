import test from 'ava';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { TaskId } from '#model/ids.ts';
import { removeHubNetwork, removeMountNamespaces } from '../../cli/dev/hub-network-process.ts';
import { killProcesses } from '../../cli/dev/process-scan-fs.ts';
import { unmountRunDir } from '../../cli/dev/run-dir-process.ts';
import { DevCluster, eventually } from '../support/dev-cluster.ts';
import type { Item } from '../support/dev-cluster.ts';
import { settleNodes } from '../support/node-leftovers.ts';
import { request, SteadyClient, untilAnswered } from '../support/steady-client.ts';

const PORT = 18080;
/** Serves `/`, writes each request to its log, and goes on serving for a second after its stop signal. */
const PROGRAM = 'echo "hello from $(hostname) on $GANTRY_NODE" > /www/index.html; trap "echo STOPPING >&2; sleep 1; kill %1; exit 0" TERM; httpd -f -vv -p 80 -h /www & while true; do wait; done';

const HELLO = (replicas: number): string => `
apiVersion: gantry/v1
kind: App
metadata: { name: hello }
services:
  web:
    image: hello:1
    command: [/bin/sh, -c, '${PROGRAM}']
    replicas: ${String(replicas)}
    ports: ["${String(PORT)}:80"]
    healthcheck: { tcp: { port: 80 }, interval: 1s, timeout: 1s, retries: 3, start_period: 2s }
    resources: { requests: { cpus: 0.01, memory: 16Mi }, limits: { memory: 32Mi } }
    update: { monitor: 1s }
`;

let cluster: DevCluster;

test.before(async () => { cluster = await DevCluster.up(); });

test.after.always(async t => { t.deepEqual(await cluster.down(), []); });

function everyNode(): readonly string[] {
  return cluster.layout.nodes.map(node => `${node.address}:${String(PORT)}`);
}

test.serial('twenty requests are answered from at least two nodes, and by a node without a task (root)', async t => {
  await cluster.apply(HELLO(2), '--wait');
  const tasks = await cluster.tasks('hello/web');
  t.is(tasks.length, 2);
  await untilAnswered([`127.0.0.1:${String(PORT)}`, ...everyNode()]);
  const answers = await Promise.all(Array.from({ length: 20 }, async () => await request(`http://127.0.0.1:${String(PORT)}/`)));
  const texts = answers.map(answer => ('text' in answer ? answer.text : answer.failure));
  t.true(texts.every(text => tasks.some(task => text === `hello from ${String(task['name'])} on ${String(task['node'])}`)), texts.join('\n'));
  t.is(new Set(tasks.map(task => task['node'])).size, 2);
  t.is(new Set(texts).size, 2);
  const without = cluster.layout.nodes.find(node => !tasks.some(task => task['node'] === node.name));
  t.regex(JSON.stringify(await request(`http://${without?.address ?? ''}:${String(PORT)}/`)), /hello from web-/);
});

test.serial('a published port is not one to forward: its connections would go to the service, and not where they are asked to (root)', async t => {
  const { exitCode, stderr } = await cluster.tryCtl('--timeout', '2m', 'port-forward', 'hello/web', `${String(PORT)}:80`);
  t.is(exitCode, 1, stderr);
  t.regex(stderr, new RegExp(`cannot listen on 127\\.0\\.0\\.1:${String(PORT)}: the port leads elsewhere`));
});

test.serial('a stopped task leaves the rules of every node, and its successor enters them', async t => {
  const client = cluster.client();
  try {
    const [victim] = await runningTasks();
    await client.stopTask({ requestId: crypto.randomUUID(), task: String(victim?.['id']) as TaskId });
    await eventually('rules without the task', 60_000, async () => !(await isInRules(String(victim?.['address']))));
    const address = await eventually('its successor', 60_000, async () => {
      const { tasks } = await client.view({ app: 'hello' });
      const fresh = tasks.find(({ task }) => task.slot === victim?.['slot'] && task.id !== victim['id'] && task.desired === 'run');
      return fresh?.status?.health === 'healthy' && fresh.status.address;
    });
    await eventually('rules with the successor', 60_000, async () => await isInRules(address, 'every'));
    t.regex(address, /^10\./);
  } finally {
    client.close();
  }
});

test.serial('no request fails and none reaches a task after its stop signal: scale down, rolling restart', async t => {
  await cluster.ctl('scale', 'hello/web=6', '--wait');
  const before = await cluster.tasks('hello/web');
  await untilAnswered(everyNode());
  const steady = new SteadyClient(everyNode());
  await eventually('answers', 60_000, () => steady.answers.size === 6);
  await cluster.ctl('scale', 'hello/web=3', '--wait');
  await cluster.ctl('restart', 'hello/web');
  await eventually('three other tasks', 60_000, async () => {
    const now = await runningTasks();
    return now.length === 3 && now.every(task => !before.some(old => old['id'] === task['id']));
  });
  await eventually('answers of all', 60_000, () => steady.answers.size >= 9);
  await eventually('the stop signal of every old task', 60_000, () => before.every(task => logLines(task).some(line => line.includes('STOPPING'))));
  await steady.stop();
  t.deepEqual(steady.failures, []);
  t.true(steady.count > 200, String(steady.count));
  const late: string[] = [];
  for (const task of before) {
    const lines = logLines(task);
    const stopping = lines.findIndex(line => line.includes('STOPPING'));
    t.true(stopping > 0, `${String(task['name'])} got its stop signal`);
    late.push(...lines.slice(stopping).filter(line => line.includes('url:/')).map(line => `${String(task['name'])}: ${line}`));
    t.true(lines.slice(0, stopping).some(line => line.includes('url:/')), `${String(task['name'])} was asked before`);
  }
  t.true(late.length <= steady.slowCount, `${late.join('\n')}\n${String(steady.slowCount)} requests were slow`);
});

test.serial('nothing is left on the nodes of what was stopped', async t => {
  await cluster.ctl('delete', 'app/hello');
  t.deepEqual((await cluster.items('ps', '-a')).length, 0);
  await t.notThrowsAsync(settleNodes(cluster));
});

test.serial('dev up continues a cluster whose programs were all killed: its Apps, its images and its running tasks are there', async t => {
  await cluster.apply(HELLO(2), '--wait');
  const before = await placesOfTasks();
  killWhole();
  const refused = await cluster.tryCtl('dev', 'up', cluster.name, '--no-example', '--nodes', '5');
  t.regex(refused.stderr, /has 3 nodes and 2 controllers; leave --nodes and --controllers out/);
  const { exitCode, stdout, stderr } = await cluster.tryCtl('dev', 'up', cluster.name, '--no-example', '--times', 'test');
  t.is(exitCode, 0, stderr);
  t.regex(stdout, /continuing with its Apps, images and data/);
  t.deepEqual(await placesOfTasks(), before);
  await cluster.ctl('scale', 'hello/web=3', '--wait');
  await untilAnswered([`127.0.0.1:${String(PORT)}`]);
  t.regex(await cluster.ctl('dev', 'status', cluster.name), /registry/);
  await cluster.ctl('run', '--rm', 'hello:1', 'true');
});

test.serial('dev up continues also when the namespaces and the run directory are gone, as after a reboot', async t => {
  const before = await runningTasks();
  killWhole();
  const { layout } = cluster;
  await killProcesses(layout);
  await removeMountNamespaces(layout);
  await removeHubNetwork(layout);
  await unmountRunDir(layout.runDir);
  rmSync(layout.runDir, { recursive: true });
  await cluster.ctl('dev', 'up', cluster.name, '--no-example', '--times', 'test');
  await eventually('three tasks again', 60_000, async () => (await runningTasks()).length === 3);
  await untilAnswered([`127.0.0.1:${String(PORT)}`]);
  // A reboot starts each task again on its node: no task is replaced.
  t.deepEqual((await runningTasks()).map(task => task['id']).toSorted(), before.map(task => task['id']).toSorted());
  await cluster.ctl('delete', 'app/hello');
});

test.serial('dev up refuses to start from nothing where data is there that it cannot read', async t => {
  killWhole();
  const file = `${cluster.layout.stateDir}/cluster.json`;
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, '{');
  const refused = await cluster.tryCtl('dev', 'up', cluster.name, '--no-example');
  writeFileSync(file, text);
  t.is(refused.exitCode, 1);
  t.regex(refused.stderr, /cluster\.json cannot be read; remove the cluster with all its Apps, images and data: clusterctl dev down/);
  await cluster.ctl('dev', 'up', cluster.name, '--no-example', '--times', 'test');
});

test.serial('a cluster that was killed whole is removed without a trace, and comes up again under its name', async t => {
  await cluster.apply(HELLO(3), '--wait');
  killWhole();
  t.deepEqual(await cluster.remove(), []);
  await cluster.start();
  await cluster.apply(HELLO(3), '--wait');
  t.is((await runningTasks()).length, 3);
  await untilAnswered([`127.0.0.1:${String(PORT)}`]);
  t.regex(JSON.stringify(await request(`http://127.0.0.1:${String(PORT)}/`)), /hello from web-/);
});

/** Kills the supervisor and every program that it started; containers and their monitors stay. */
function killWhole(): void {
  const { supervisorPid, processes } = cluster.file;
  for (const pid of [supervisorPid, ...processes.map(one => one.pid)].filter(one => one !== undefined)) {
    process.kill(pid, 'SIGKILL');
  }
}

/** Id, node and restarts of each running task. */
async function placesOfTasks(): Promise<readonly string[]> {
  return (await runningTasks()).map(task => [task['id'], task['node'], task['restarts']].map(String).join(' ')).toSorted();
}

async function runningTasks(): Promise<readonly Item[]> {
  return (await cluster.tasks('hello/web')).filter(task => task['state'] === 'running' && task['health'] === 'healthy' && task['desired'] === 'run');
}

async function isInRules(address: string, where: 'some' | 'every' = 'some'): Promise<boolean> {
  const rules = await Promise.all(cluster.layout.nodes.map(async node => await cluster.onNode(node.name, 'nft', 'list', 'map', 'ip', `gantry-${node.scope}-services`, 'published-tcp-endpoints')));
  return rules[where](({ stdout }) => new RegExp(`\\b${address.replaceAll('.', '\\.')}\\b`).test(stdout));
}

function logLines(task: Item): readonly string[] {
  const file = `${cluster.layout.stateDir}/${String(task['node'])}/state/tasks/${String(task['id'])}/logs/1.log`;
  return readFileSync(file, 'utf8').split('\n');
}
