/** Rows E12, E15, E16 and E17: what a node waits for, and what comes and goes often (needs root, loop devices, strace). */
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import type { ControlClient, TaskView } from '#model/ports.ts';
import { DevCluster, eventually } from '../../../support/dev-cluster.ts';
import { lasting } from '../../../support/fault-bench.ts';
import { inside, mountLoopDisk, unmountDisk, whyNoLoopDisk } from '../../../support/loop-disk.ts';
import { identityOf, monitorOf, oneService, pidOf, runTask, running, taskOnce, taskOutput, wantedTasks } from '../../../support/node-faults.ts';
import type { WithTask } from '../../../support/node-faults.ts';
import { run } from '../../../support/node-namespaces.ts';
import { settleNodes } from '../../../support/node-leftovers.ts';
import { SideProcess } from '../../../support/side-process.ts';

const SLEEPER = 'trap "exit 0" TERM; while :; do sleep 1; done';
const PORT = 18_451;
const why = whyNoLoopDisk();
const onLoop = why === undefined ? test.serial : test.serial.skip;

let cluster: DevCluster;
let client: ControlClient;

test.before(async () => {
  cluster = await DevCluster.up({ nodes: 1, controllers: 1 });
  client = cluster.client();
});

test.after.always('nothing is left', async t => {
  client.close();
  t.deepEqual(await cluster.down(), []);
});

const withTask: WithTask = async (app, body) => { await runTask({ cluster, client }, app, body); };
const agentPid = (): number => cluster.process('n1').pid ?? 0;
const state = (): string => `${cluster.layout.stateDir}/n1/state`;
const enter = (): readonly string[] => ['nsenter', `--mount=${cluster.layout.runDir}/mnt/n1`, '--'];
const attemptOf = ({ task, status }: TaskView): string => `gantry-${task.id}-${String(status?.attempt ?? 0)}`;

test.serial('E12: the unmount of an ended task takes 12 s: another one starts meanwhile', async t => {
  await cluster.apply(oneService({ name: 'slow', script: SLEEPER }));
  const [slow] = await running(client, 'slow');
  const rootfs = readFileSync(`/proc/${String(agentPid())}/mountinfo`, 'utf8').split('\n').map(line => line.split(' ')[4] ?? '').find(target => target.includes(`/snapshots/${slow === undefined ? '?' : attemptOf(slow)}/`)) ?? '';
  {
    // Only calls about this path; one that is delayed can be undone by nobody.
    await using tracer = new SideProcess('strace', '-f', '-q', '-o', '/dev/null', '-p', String(agentPid()), '-P', rootfs, '-e', 'trace=umount2', '-e', 'inject=umount2:delay_enter=12000000');
    await eventually('the tracer at every thread', 10_000, () => threads(agentPid()).every(thread => thread.includes(`TracerPid:\t${String(tracer.pid)}`)));
    await cluster.ctl('delete', 'app/slow', '-y', '--detach');
    await eventually('the unmount under way', 10_000, () => threads(agentPid()).some(thread => /^State:\tt/m.test(thread)));
    await withTask({ name: 'meanwhile', script: SLEEPER }, async view => {
      t.true(identityOf(pidOf(view)) !== '');
      t.true((await client.view({ app: 'slow' })).tasks.length > 0, 'the other one still waits');
    });
    await eventually('the slow one gone', 30_000, async () => (await client.view({ app: 'slow' })).tasks.length === 0);
  }
  await settleNodes(cluster);
});

/** The text of /proc/PID/status of each thread. */
function threads(pid: number): readonly string[] {
  const tasks = `/proc/${String(pid)}/task`;
  return readdirSync(tasks).map(thread => existsSync(`${tasks}/${thread}/status`) ? readFileSync(`${tasks}/${thread}/status`, 'utf8') : '');
}

test.serial('E15: a monitor stopped for 60 s while its container logs hard: the agent stays small, and no line is lost', async t => {
  const lines = 200_000;
  const script = `trap "exit 0" TERM; i=0; while [ $i -lt ${String(lines)} ]; do echo line $i; i=$((i+1)); done; echo done; while :; do sleep 1; done`;
  await withTask({ name: 'loud', script }, async view => {
    const monitor = monitorOf(view);
    const residentKib = (pid: number): number => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1] ?? 0);
    process.kill(monitor, 'SIGSTOP');
    try {
      const before = [residentKib(agentPid()), residentKib(monitor)] as const;
      t.false(taskOutput(cluster, view).includes('done'), 'it was stopped before the end');
      await lasting(60_000);
      const after = [residentKib(agentPid()), residentKib(monitor)] as const;
      t.true(after[0] < before[0] * 1.3 && after[1] <= before[1], JSON.stringify({ before, after }));
    } finally {
      process.kill(monitor, 'SIGCONT');
    }
    await eventually('its last line', 60_000, async () => (await cluster.ctl('logs', `task/${view.task.id}`, '--tail', '1')).includes('done'));
    const told = (await cluster.ctl('logs', `task/${view.task.id}`)).trim().split('\n');
    t.is(told.length, lines + 1);
    t.is(told.findIndex((line, index) => line !== `line ${String(index)}`), lines);
  });
});

onLoop(`E16: a container that hangs in the kernel is told to be unkillable, its host port stays its own, and it ends after the thaw${why === undefined ? '' : ` (${why})`}`, async t => {
  const volumes = `${state()}/volumes`;
  mkdirSync(volumes, { recursive: true });
  mountLoopDisk({ file: `${cluster.layout.stateDir}/volumes.disk`, mountPoint: volumes, mebibytes: 32 }, enter());
  let isFrozen = false;
  try {
    const more = [`ports: [{ published: ${String(PORT)}, target: 80, mode: host }]`];
    const app = oneService({ name: 'stuck', script: 'trap "exit 0" TERM; while [ ! -e /tmp/go ]; do sleep 0.1; done; echo x > /data/x; sleep 1000', more: [...more, 'volumes: ["data:/data"]'] });
    await cluster.apply(`${app}volumes:\n  data: {}\n`);
    const [stuck] = await running(client, 'stuck');
    inside(enter(), 'fsfreeze', '-f', volumes);
    isFrozen = true;
    await cluster.ctl('exec', 'stuck/main', '--', 'touch', '/tmp/go');
    await eventually('its process in the kernel', 10_000, () => /^State:\tD/m.test(readFileSync(`/proc/${String(pidOf(stuck))}/status`, 'utf8')));
    await cluster.ctl('delete', 'app/stuck', '-y', '--detach');
    await cluster.apply(oneService({ name: 'next', more }));
    const told = await taskOnce(client, 'stuck', 'the word', view => view.status?.reason === 'Unkillable', 30_000);
    t.regex(told.status?.message ?? '', /^unkillable \(D state\)/);
    t.deepEqual((await wantedTasks(client, 'next')).filter(one => one.state === 'running'), []);
    inside(enter(), 'fsfreeze', '-u', volumes);
    isFrozen = false;
    await running(client, 'next');
    t.is(identityOf(pidOf(stuck)), '');
    await cluster.ctl('delete', 'app/next', '-y');
    await cluster.tryCtl('volume', 'rm', 'data', '-y');
  } finally {
    if (isFrozen) inside(enter(), 'fsfreeze', '-u', volumes);
    await unmountDisk(volumes, enter());
  }
  await settleNodes(cluster);
});

test.serial('E17: 500 tasks made and deleted, 20 at a time: descriptors, namespaces and mounts are as before', async t => {
  const counts = (): Readonly<Record<string, number>> => ({
    descriptors: readdirSync(`/proc/${String(agentPid())}/fd`).length,
    threads: readdirSync(`/proc/${String(agentPid())}/task`).length,
    mounts: readFileSync(`/proc/${String(agentPid())}/mountinfo`, 'utf8').split('\n').length,
    links: run('nsenter', `--net=/run/netns/gantry-${cluster.name}-n1`, '--', 'ip', '-br', 'link').split('\n').length,
  });
  const round = async (): Promise<void> => {
    await cluster.apply(oneService({ name: 'crowd', script: SLEEPER, replicas: 20 }));
    await running(client, 'crowd', 20, 60_000);
    await cluster.ctl('delete', 'app/crowd', '-y', '--timeout', '60s');
  };
  await round();
  await settleNodes(cluster);
  const agent = agentPid();
  const before = counts();
  for (let index = 1; index < 25; index += 1) await round();
  await settleNodes(cluster);
  await eventually(`what was before: ${JSON.stringify(before)}`, 20_000, () => {
    const now = counts();
    if (Object.entries(before).every(([name, count]) => (now[name] ?? Infinity) <= count)) return true;
    throw new Error(JSON.stringify(now));
  });
  t.is(agentPid(), agent);
});
