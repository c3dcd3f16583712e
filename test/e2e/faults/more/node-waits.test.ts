/** Rows E12, E15, E16 and E17: what a node waits for, and what comes and goes often (needs root, loop devices, strace). */
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import type { TaskView } from '#model/ports.ts';
import { eventually } from '../../../support/dev-cluster.ts';
import { lasting } from '../../../support/fault-bench.ts';
import { inside, mountLoopDisk, unmountDisk, whyNoLoopDisk } from '../../../support/loop-disk.ts';
import { identityOf, monitorOf, oneService, pidOf, running, taskOnce, taskOutput, wantedTasks } from '../../../support/node-faults.ts';
import { run } from '../../../support/node-namespaces.ts';
import { settleNodes } from '../../../support/node-leftovers.ts';
import { useOneNode } from '../../../support/one-node.ts';
import { SideProcess } from '../../../support/side-process.ts';

const SLEEPER = 'trap "exit 0" TERM; while :; do sleep 1; done';
const PORT = 18_451;
const why = whyNoLoopDisk();
const onLoop = why === undefined ? test.serial : test.serial.skip;

const site = useOneNode();

const state = (): string => `${site.cluster.layout.stateDir}/n1/state`;
const enter = (): readonly string[] => ['nsenter', `--mount=${site.cluster.layout.runDir}/mnt/n1`, '--'];
const attemptOf = ({ task, status }: TaskView): string => `gantry-${task.id}-${String(status?.attempt ?? 0)}`;

test.serial('E12: the unmount of an ended task takes 12 s: another one starts meanwhile', async t => {
  await site.cluster.apply(oneService({ name: 'slow', script: SLEEPER }));
  const [slow] = await running(site.client, 'slow');
  const rootfs = readFileSync(`/proc/${String(site.agentPid)}/mountinfo`, 'utf8').split('\n').map(line => line.split(' ')[4] ?? '').find(target => target.includes(`/snapshots/${slow === undefined ? '?' : attemptOf(slow)}/`)) ?? '';
  const calls = `${site.cluster.home}/unmounts`;
  {
    // Only calls about this path; one that is delayed can be undone by nobody.
    await using tracer = new SideProcess('strace', '-f', '-q', '-o', calls, '-p', String(site.agentPid), '-P', rootfs, '-e', 'trace=umount2', '-e', 'inject=umount2:delay_enter=12000000');
    await eventually('the tracer at every thread', 60_000, () => threads(site.agentPid).every(thread => thread.includes(`TracerPid:\t${String(tracer.pid)}`)));
    await site.cluster.ctl('delete', 'app/slow', '-y', '--detach');
    // A call is written as it begins, and how it ended after that.
    await eventually('the unmount under way', 60_000, () => readFileSync(calls, 'utf8').includes(`umount2("${rootfs}"`));
    await site.withTask({ name: 'meanwhile', script: SLEEPER }, async view => {
      t.true(identityOf(pidOf(view)) !== '');
      t.true((await site.client.view({ app: 'slow' })).tasks.length > 0, 'the other one still waits');
    });
    await eventually('the slow one gone', 60_000, async () => (await site.client.view({ app: 'slow' })).tasks.length === 0);
    t.regex(readFileSync(calls, 'utf8'), /umount2.* = 0 \(DELAYED\)/);
  }
  await settleNodes(site.cluster);
});

/** The text of /proc/PID/status of each thread. */
function threads(pid: number): readonly string[] {
  const tasks = `/proc/${String(pid)}/task`;
  return readdirSync(tasks).map(thread => existsSync(`${tasks}/${thread}/status`) ? readFileSync(`${tasks}/${thread}/status`, 'utf8') : '');
}

test.serial('E15: a monitor stopped for 60 s while its container logs hard: the agent stays small, and no line is lost', async t => {
  const lines = 200_000;
  const script = `trap "exit 0" TERM; i=0; while [ $i -lt ${String(lines)} ]; do echo line $i; i=$((i+1)); done; echo done; while :; do sleep 1; done`;
  await site.withTask({ name: 'loud', script }, async view => {
    const monitor = monitorOf(view);
    const residentKib = (pid: number): number => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1] ?? 0);
    process.kill(monitor, 'SIGSTOP');
    try {
      const before = [residentKib(site.agentPid), residentKib(monitor)] as const;
      t.false(taskOutput(site.cluster, view).includes('done'), 'it was stopped before the end');
      await lasting(60_000);
      const after = [residentKib(site.agentPid), residentKib(monitor)] as const;
      t.true(after[0] < before[0] * 1.3 && after[1] <= before[1], JSON.stringify({ before, after }));
    } finally {
      process.kill(monitor, 'SIGCONT');
    }
    await eventually('its last line', 60_000, async () => (await site.cluster.ctl('logs', `task/${view.task.id}`, '--tail', '1')).includes('done'));
    const told = (await site.cluster.ctl('logs', `task/${view.task.id}`)).trim().split('\n');
    t.is(told.length, lines + 1);
    t.is(told.findIndex((line, index) => line !== `line ${String(index)}`), lines);
  });
});

onLoop(`E16: a container that hangs in the kernel is told to be unkillable, its host port stays its own, and it ends after the thaw${why === undefined ? '' : ` (${why})`}`, async t => {
  const volumes = `${state()}/volumes`;
  mkdirSync(volumes, { recursive: true });
  mountLoopDisk({ file: `${site.cluster.layout.stateDir}/volumes.disk`, mountPoint: volumes, mebibytes: 32 }, enter());
  let isFrozen = false;
  try {
    const more = [`ports: [{ published: ${String(PORT)}, target: 80, mode: host }]`];
    const app = oneService({ name: 'stuck', script: 'trap "exit 0" TERM; while [ ! -e /tmp/go ]; do sleep 0.1; done; echo x > /data/x; sleep 1000', more: [...more, 'volumes: ["data:/data"]'] });
    await site.cluster.apply(`${app}volumes:\n  data: {}\n`);
    const [stuck] = await running(site.client, 'stuck');
    inside(enter(), 'fsfreeze', '-f', volumes);
    isFrozen = true;
    await site.cluster.ctl('exec', 'stuck/main', '--', 'touch', '/tmp/go');
    await eventually('its process in the kernel', 60_000, () => /^State:\tD/m.test(readFileSync(`/proc/${String(pidOf(stuck))}/status`, 'utf8')));
    await site.cluster.ctl('delete', 'app/stuck', '-y', '--detach');
    await site.cluster.apply(oneService({ name: 'next', more }));
    const told = await taskOnce(site.client, 'stuck', 'the word', view => view.status?.reason === 'Unkillable', 30_000);
    t.regex(told.status?.message ?? '', /^unkillable \(D state\)/);
    t.deepEqual((await wantedTasks(site.client, 'next')).filter(one => one.state === 'running'), []);
    inside(enter(), 'fsfreeze', '-u', volumes);
    isFrozen = false;
    await running(site.client, 'next');
    t.is(identityOf(pidOf(stuck)), '');
    await site.cluster.ctl('delete', 'app/next', '-y');
    await site.cluster.tryCtl('volume', 'rm', 'data', '-y');
  } finally {
    if (isFrozen) inside(enter(), 'fsfreeze', '-u', volumes);
    await unmountDisk(volumes, enter());
  }
  await settleNodes(site.cluster);
});

test.serial('E17: 500 tasks made and deleted, 20 at a time: descriptors, namespaces and mounts are as before', async t => {
  const counts = (): Readonly<Record<string, number>> => ({
    descriptors: readdirSync(`/proc/${String(site.agentPid)}/fd`).length,
    threads: readdirSync(`/proc/${String(site.agentPid)}/task`).length,
    mounts: readFileSync(`/proc/${String(site.agentPid)}/mountinfo`, 'utf8').split('\n').length,
    links: run('nsenter', `--net=/run/netns/gantry-${site.cluster.name}-n1`, '--', 'ip', '-br', 'link').split('\n').length,
  });
  const round = async (): Promise<void> => {
    await site.cluster.apply(oneService({ name: 'crowd', script: SLEEPER, replicas: 20 }));
    await running(site.client, 'crowd', 20, 60_000);
    await site.cluster.ctl('delete', 'app/crowd', '-y', '--timeout', '60s');
  };
  await round();
  await settleNodes(site.cluster);
  const agent = site.agentPid;
  const before = counts();
  for (let index = 1; index < 25; index += 1) await round();
  await settleNodes(site.cluster);
  await eventually(`what was before: ${JSON.stringify(before)}`, 60_000, () => {
    const now = counts();
    if (Object.entries(before).every(([name, count]) => (now[name] ?? Infinity) <= count)) return true;
    throw new Error(JSON.stringify(now));
  });
  t.is(site.agentPid, agent);
});
