import test from 'ava';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DevCluster, eventually } from '../support/dev-cluster.ts';
import type { Item } from '../support/dev-cluster.ts';

const LIMIT_MS = 60_000;
const MIB = 1024 * 1024;
const APP = `
apiVersion: gantry/v1
kind: App
metadata: { name: work }
services:
  spin:
    image: hello:1
    command: ["/bin/sh", "-c", "while :; do :; done"]
    stop_grace_period: 1s
    resources: { requests: { cpus: 0.01, memory: 16Mi }, limits: { cpus: 0.2, memory: 32Mi } }
`;

let cluster: DevCluster;

test.before(async () => {
  cluster = await DevCluster.up({ nodes: 1, controllers: 1 });
  await cluster.apply(APP, '--wait');
});

test.after.always(async t => { t.deepEqual(await cluster.down(), []); });

test.serial('stats --no-stream measures a busy task: cpu within its limit, memory, in docker\'s columns (root)', async t => {
  const { id } = await onlyTask();
  const lines = await eventually('the cpu of the task', LIMIT_MS, async () => {
    const measured = await statsLines();
    return Number(measured[0]?.['milliCpu']) > 0 && measured;
  });
  t.deepEqual(lines.map(line => line['id']), [id]);
  t.true(Number(lines[0]?.['memoryBytes']) > 0 && Number(lines[0]?.['memoryBytes']) <= 32 * MIB);
  t.is(lines[0]?.['memoryLimitBytes'], 32 * MIB);
  const table = (await cluster.ctl('stats', '--no-stream')).trimEnd().split('\n');
  t.regex(table[0] ?? '', /^TASK ID +NAME +NODE +CPU % +MEM USAGE \/ LIMIT +MEM % +NET I\/O +BLOCK I\/O +PIDS$/);
  t.regex(table[1] ?? '', /^\S+ +spin-0-\S+ +n1 +\d+\.\d\d% +\S+iB \/ 32MiB +\d/);
});

test.serial('update changes the memory of a service in place: the same process, another limit (root)', async t => {
  const before = await onlyTask();
  t.is(await cluster.ctl('update', '--memory', '48Mi', 'work/spin'), 'work/spin\n');
  const document = await eventually('the new limit in force', LIMIT_MS, async () => {
    const one = await inspected();
    return limitOf(one['onNode']) === 48 * MIB && one;
  });
  t.is(document['id'], before['id']);
  t.is(document['pid'], before['pid']);
  t.regex(await cluster.ctl('describe', `task/${String(before['id'])}`), /limits:\n +cpus: 200m\n +memory: 48Mi\n/);
  t.regex(await cluster.ctl('describe', 'work/spin'), /memory: 48Mi\n/);
  const refused = await cluster.tryCtl('update', '--memory', '1Mi', 'work/spin');
  t.is(refused.exitCode, 1);
  t.regex(refused.stderr, /limits\.memory: must be at least 6Mi/);
});

test.serial('inspect names pid, address and digest, as the node sees them (root)', async t => {
  const task = await onlyTask();
  const document = await inspected();
  t.like(document, { id: task['id'], address: task['address'], digest: task['digest'], pid: task['pid'], onNodeError: null });
  t.regex(String(document['digest']), /^sha256:[0-9a-f]{64}$/);
  t.like(document['onNode'], { node: 'n1', container: { pid: task['pid'], isPaused: false }, network: { address: task['address'] } });
  t.true(readFileSync(`/proc/${String(task['pid'])}/cmdline`, 'utf8').includes('while :; do :; done'));
});

test.serial('a replica has an address by its number, and run has docker\'s flags as far as the namespace allows (root)', async t => {
  const { id } = await onlyTask();
  for (const address of ['spin-0', 'work/spin-0', 'spin.0']) {
    t.is(await cluster.ctl('exec', address, '--', 'echo', 'here'), 'here\n');
  }
  t.like(JSON.parse(await cluster.ctl('inspect', 'task', 'work/spin-0')) as readonly Item[], [{ type: 'task', id }]);
  const file = path.join(cluster.home, 'job.env');
  writeFileSync(file, 'A=1\nB="2"\n');
  const flags = ['-m', '24Mi', '--env-file', file, '-e', 'A=3', '--label', 'team=data', '--cap-drop', 'ALL', '--cap-add', 'CHOWN'];
  const shown = await cluster.ctl('run', '--name', 'flags', ...flags, 'hello:1', 'sh', '-c', 'echo "$A $B"; grep CapEff /proc/self/status');
  t.regex(shown, /^3 "2"\nCapEff:\s+0{15}1\n$/);
  t.like((await cluster.items('get', 'jobs', '-l', 'team=data'))[0], { app: 'flags', resources: { limits: { memoryBytes: 24 * MIB } } });
  await cluster.ctl('delete', 'app/flags');
  const refused = await cluster.tryCtl('run', '--rm', '--privileged', 'hello:1', 'true');
  t.is(refused.exitCode, 125);
  t.regex(refused.stderr, /security\.profile: profile 'privileged' is not allowed in this Namespace; .*clusterctl namespace set default --profile privileged/);
  t.like(JSON.parse(await cluster.ctl('node', 'inspect', 'n1')) as readonly Item[], [{ type: 'node', name: 'n1' }]);
});

test.serial('pause freezes: no cpu is used; unpause goes on with the same process (root)', async t => {
  const before = await onlyTask();
  t.is(await cluster.ctl('pause', 'work/spin'), 'work/spin\n');
  t.like(await onlyTask(), { id: before['id'], state: 'paused', pid: before['pid'] });
  const first = cpuTicks(before);
  const [still] = await statsLines();
  t.is(still?.['milliCpu'], 0);
  t.is(cpuTicks(before), first);
  t.is((await cluster.tryCtl('pause', 'work/spin')).exitCode, 1, 'it is already paused');
  t.is(await cluster.ctl('unpause', 'work/spin'), 'work/spin\n');
  t.like(await onlyTask(), { id: before['id'], state: 'running', pid: before['pid'] });
  await eventually('cpu used again', LIMIT_MS, () => cpuTicks(before) > first);
});

test.serial('a paused task ends when it is stopped; kill reaches a paused one too (root)', async t => {
  const { id } = await onlyTask();
  await cluster.ctl('pause', `task/${String(id)}`);
  await cluster.ctl('stop', '-t', '1', `task/${String(id)}`);
  const next = await eventually('another in its place', LIMIT_MS, async () => {
    const tasks = await cluster.tasks('work/spin');
    return tasks.length === 1 && tasks[0]?.['id'] !== id && tasks[0]?.['state'] === 'running' && tasks[0];
  });
  await cluster.ctl('pause', 'work/spin');
  await cluster.ctl('kill', 'work/spin');
  const after = await eventually('the next attempt, not paused', LIMIT_MS, async () => {
    const tasks = await cluster.tasks('work/spin');
    return tasks.find(task => task['state'] === 'running' && task['pid'] !== next['pid']);
  });
  t.true(Number(after['restarts']) >= 1 || after['id'] !== next['id']);
});

async function onlyTask(): Promise<Item> {
  return await eventually('one task', LIMIT_MS, async () => {
    const [task, ...others] = await cluster.tasks('work/spin');
    return others.length === 0 && task?.['pid'] !== null && task;
  });
}

async function statsLines(): Promise<readonly Item[]> {
  return (await cluster.ctl('stats', '--no-stream', '-o', 'json', 'work/spin')).trimEnd().split('\n').map(line => JSON.parse(line) as Item);
}

async function inspected(): Promise<Item> {
  const { id } = await onlyTask();
  const documents = JSON.parse(await cluster.ctl('inspect', `task/${String(id)}`)) as readonly Item[];
  return documents[0] ?? {};
}

function limitOf(onNode: unknown): number | undefined {
  return (onNode as { readonly resourcesInForce?: { readonly limits: { readonly memoryBytes: number } } } | null)?.resourcesInForce?.limits.memoryBytes;
}

/** User and system time of the task's own process. Source: proc_pid_stat(5), fields 14 and 15 */
function cpuTicks(task: Item): number {
  const fields = readFileSync(`/proc/${String(task['pid'])}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
