/** Rows E and F of one node: its agent, monitors and containers die or misbehave (needs root). */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import test from 'ava';
import type { TaskView } from '#model/ports.ts';
import { runCommand } from '#kit/command-process.ts';
import { eventually } from '../../support/dev-cluster.ts';
import { identityOf, logLines, logSize, monitorOf, oneService, pidOf, running, signalUntil, taskOnce, taskOutput, wantedTasks } from '../../support/node-faults.ts';
import { settleNodes } from '../../support/node-leftovers.ts';
import { useOneNode } from '../../support/one-node.ts';

/** A file's time is up to a tick behind the clock. */
const CLOCKS_APART_MS = 10;

const site = useOneNode();

const stateOf = (view: TaskView | undefined, file: string): string => `${site.cluster.layout.stateDir}/n1/state/tasks/${view?.task.id ?? ''}/${file}`;
const keepDown = async (): Promise<void> => { await site.cluster.ctl('dev', 'kill', 'n1', '--name', site.cluster.name); };
const bringBack = async (): Promise<void> => { await site.cluster.ctl('dev', 'start', 'n1', '--name', site.cluster.name); };

const once = async (app: string, what: string, holds: (view: TaskView) => boolean): Promise<TaskView> => await taskOnce(site.client, app, what, holds);

test.serial('E1: the agent is killed with 50 containers: all adopted within 5 s, no line of a log lost or doubled', async t => {
  const count = 50;
  await site.cluster.apply(oneService({ name: 'many', replicas: count, script: 'i=0; while :; do echo line $i; i=$((i+1)); sleep 1; done' }));
  const before = await running(site.client, 'many', count, 60_000);
  const identities = before.map(view => identityOf(pidOf(view)));
  const logFrom = logSize(site.cluster, 'n1');
  const { pid = 0 } = site.cluster.process('n1');
  process.kill(-pid, 'SIGKILL');
  const adopted = await eventually('50 adoptions', 60_000, () => {
    const found = logLines(site.cluster, 'n1', logFrom).filter(line => line['verdict'] === 'adopt');
    return found.length === count ? found : undefined;
  });
  const [first] = logLines(site.cluster, 'n1', logFrom);
  const times = [first, ...adopted].map(line => Date.parse(String(line?.['time'])) || Number(line?.['time']));
  t.true(Math.max(...times) - Math.min(...times) < 5_000, `adoption took ${String(Math.max(...times) - Math.min(...times))} ms`);
  const after = await running(site.client, 'many', count);
  t.deepEqual(after.map(view => [view.status?.restarts, identityOf(pidOf(view))]), identities.map(identity => [0, identity]));
  const seen = Math.max(...before.map(view => taskOutput(site.cluster, view).length));
  await eventually('two more lines of each', 60_000, () => after.every(view => taskOutput(site.cluster, view).length >= seen + 2));
  for (const view of after) {
    const lines = taskOutput(site.cluster, view);
    t.deepEqual(lines, lines.map((_, index) => `line ${String(index)}`));
  }
  const [one] = after;
  const told = (await site.cluster.ctl('logs', `task/${one?.task.id ?? ''}`)).trim().split('\n').map(line => line.slice(line.indexOf('line ')));
  t.deepEqual(told, told.map((_, index) => `line ${String(index)}`));
  await site.cluster.ctl('delete', 'app/many', '-y');
});

test.serial('E3: a container that exits 7 while the agent is down is told with its code and time', async t => {
  await site.withTask({ name: 'seven', script: 'trap "echo last words; exit 7" USR1; while :; do sleep 0.1; done', more: ['restart: { policy: never }'] }, async view => {
    const [pid, monitor] = [pidOf(view), monitorOf(view)];
    await keepDown();
    const signalledAtMs = Date.now();
    await signalUntil(pid, 'SIGUSR1', 'its end', () => identityOf(pid) === '');
    await eventually('the end of its monitor, which writes the end down', 60_000, () => identityOf(monitor) === '');
    const writtenAtMs = Date.now();
    await bringBack();
    const ended = await once('seven', 'its exit', one => one.task.id === view.task.id && one.status?.lastExit !== undefined);
    t.like(ended.status?.lastExit, { code: 7, reason: 'exited', attempt: 1 });
    t.regex(await site.cluster.ctl('logs', `task/${view.task.id}`), /last words\n$/);
    const finishedAtMs = ended.status?.lastExit?.finishedAtMs ?? 0;
    t.true(finishedAtMs >= signalledAtMs - CLOCKS_APART_MS && finishedAtMs <= writtenAtMs + CLOCKS_APART_MS, `${String(finishedAtMs - signalledAtMs)} ms after the signal, ${String(finishedAtMs - writtenAtMs)} after it was written`);
  });
});

test.serial('E4: a monitor killed: its container is stopped and replaced, the exit code is unknown', async t => {
  await site.withTask({ name: 'unwatched' }, async view => {
    const before = identityOf(pidOf(view));
    process.kill(monitorOf(view), 'SIGKILL');
    const after = await once('unwatched', 'the next attempt', one => one.task.id === view.task.id && one.status?.attempt === 2 && one.state === 'running');
    t.like(after.status?.lastExit, { code: null, reason: 'exit-unknown', attempt: 1 });
    t.is(after.status?.restarts, 1);
    t.not(identityOf(pidOf(after)), before);
    t.is(identityOf(pidOf(view)), '');
    await eventually('the event', 60_000, async () => (await site.client.events({ object: `task/${view.task.id}` })).some(event => event.message.includes('monitor')));
  });
});

test.serial('E5: agent, monitor and container killed, their pids given to others: one restart, and no signal to the others', async t => {
  await site.withTask({ name: 'reused' }, async view => {
    const pids = [pidOf(view), monitorOf(view)];
    await keepDown();
    pids.toReversed().forEach(pid => { process.kill(pid, 'SIGKILL'); });
    await eventually('both gone', 60_000, () => pids.every(pid => !existsSync(`/proc/${String(pid)}`)));
    const foreign = await Promise.all(pids.map(async pid => await takePid(pid)));
    const identities = foreign.map(identityOf);
    try {
      await bringBack();
      const after = await once('reused', 'the next attempt', one => one.task.id === view.task.id && one.status?.attempt === 2 && one.state === 'running');
      t.is(after.status?.restarts, 1);
      t.like(after.status?.lastExit, { code: null, reason: 'exit-unknown' });
      t.deepEqual(foreign.map(identityOf), identities);
      t.deepEqual(foreign, pids);
    } finally {
      foreign.forEach(pid => { process.kill(pid, 'SIGKILL'); });
    }
  });
});

/** A sleeping process with this pid. Source: proc_sys_kernel(5), ns_last_pid */
async function takePid(pid: number): Promise<number> {
  return await eventually(`pid ${String(pid)} to be taken`, 60_000, async () => {
    const { stdout } = await runCommand('sh', ['-c', `echo ${String(pid - 1)} > /proc/sys/kernel/ns_last_pid; setsid sleep 300 >/dev/null 2>&1 & echo $!`]);
    const got = Number(stdout);
    if (got === pid) return got;
    process.kill(got, 'SIGKILL');
    return undefined;
  });
}

test.serial('E8: a record that cannot be read: the task starts anew once; one of a newer agent stops the start, and containers live on', async t => {
  await site.withTask({ name: 'torn', replicas: 2 }, async () => {
    const [torn, whole] = await running(site.client, 'torn', 2);
    const logFrom = logSize(site.cluster, 'n1');
    const identity = identityOf(pidOf(whole));
    await keepDown();
    const text = readFileSync(stateOf(torn, 'record.json'), 'utf8');
    writeFileSync(stateOf(torn, 'record.json'), text.slice(0, text.length / 2));
    await bringBack();
    const after = await once('torn', 'the torn task again', one => one.task.id === torn?.task.id && one.state === 'running' && (one.status?.attempt ?? 0) === 2);
    t.not(identityOf(pidOf(after)), identityOf(pidOf(torn)));
    t.true(logLines(site.cluster, 'n1', logFrom).some(line => line['task'] === torn?.task.id && String(line['msg']).includes('not readable')));
    t.is(identityOf(pidOf((await running(site.client, 'torn', 2))[1])), identity);

    await keepDown();
    const record = readFileSync(stateOf(whole, 'record.json'), 'utf8');
    writeFileSync(stateOf(whole, 'record.json'), record.replace(/"version":\s*\d+/, '"version":99'));
    const size = readFileSync(`${site.cluster.layout.stateDir}/logs/n1.log`).length;
    await bringBack();
    await eventually('the refusal', 60_000, () => readFileSync(`${site.cluster.layout.stateDir}/logs/n1.log`).subarray(size).includes('start the newer agent'));
    t.is(identityOf(pidOf(whole)), identity);
    writeFileSync(stateOf(whole, 'record.json'), record);
    await eventually('its adoption', 60_000, () => logLines(site.cluster, 'n1', size).some(line => line['task'] === whole?.task.id && line['verdict'] === 'adopt'));
    t.is(identityOf(pidOf((await running(site.client, 'torn', 2))[1])), identity);
  });
});

test.serial('E7: the state directory lost: what still runs is told and removed, then each task runs once, as a later attempt', async t => {
  await site.withTask({ name: 'lost', replicas: 3 }, async () => {
    const before = await running(site.client, 'lost', 3);
    const identities = before.map(view => identityOf(pidOf(view)));
    await keepDown();
    t.deepEqual(before.map(view => identityOf(pidOf(view))), identities);
    const state = `${site.cluster.layout.stateDir}/n1/state`;
    rmSync(state, { recursive: true });
    mkdirSync(state, { mode: 0o711 });
    const logFrom = logSize(site.cluster, 'n1');
    await bringBack();
    const after = await eventually('three tasks in their second attempt', 60_000, async () => {
      const tasks = await wantedTasks(site.client, 'lost');
      return tasks.length === 3 && tasks.every(view => view.state === 'running' && view.status?.attempt === 2) ? tasks : undefined;
    });
    t.deepEqual(after.map(view => view.task.id), before.map(view => view.task.id));
    t.deepEqual(before.map(view => identityOf(pidOf(view))), ['', '', '']);
    const strays = logLines(site.cluster, 'n1', logFrom).map(line => String(line['stray'])).filter(stray => stray.startsWith('container'));
    t.deepEqual(strays.sort(), before.map(view => `container gantry-${view.task.id}-1`).sort());
  });
});

test.serial('F7: a container over its memory ends with 137, OOMKilled; its neighbour does not notice', async t => {
  await site.withTask({ name: 'neighbour' }, async neighbour => {
    const identity = identityOf(pidOf(neighbour));
    await site.withTask({ name: 'greedy', script: 'trap : USR1; sleep 1000 & wait; exec tail /dev/zero' }, async view => {
      await signalUntil(pidOf(view), 'SIGUSR1', 'its end', () => identityOf(pidOf(view)) === '');
      const ended = await once('greedy', 'its end', one => one.status?.lastExit !== undefined);
      t.like(ended.status?.lastExit, { code: 137, reason: 'OOMKilled' });
    });
    t.is(identityOf(pidOf(neighbour)), identity);
    t.is((await running(site.client, 'neighbour'))[0]?.status?.restarts, 0);
  });
});

test.serial('F8: an OOM in a child alone is an event; the task goes on, and ends as its first process does', async t => {
  const script = 'trap : USR1; sleep 1000 & wait; dd if=/dev/zero of=/dev/null bs=100M count=1; echo child $?; trap "exit 5" USR2; while :; do sleep 0.1; done';
  await site.withTask({ name: 'child', script, more: ['restart: { policy: never }'] }, async view => {
    const pid = pidOf(view);
    await signalUntil(pid, 'SIGUSR1', 'the child killed', () => taskOutput(site.cluster, view).includes('child 137'));
    t.is((await running(site.client, 'child'))[0]?.status?.pid, pid);
    await eventually('the event', 60_000, async () => (await site.client.events({ object: `task/${view.task.id}` })).some(event => event.reason === 'OOMKilledChild'));
    await signalUntil(pid, 'SIGUSR2', 'its end', () => identityOf(pid) === '');
    const ended = await once('child', 'its end', one => one.task.id === view.task.id && one.status?.lastExit !== undefined);
    t.like(ended.status?.lastExit, { code: 5, reason: 'exited' });
  });
});

test.serial('F9: a fork bomb stays below its limit, and is stopped', async t => {
  // The first process forks once and then never again: a shell that may not fork ends.
  const script = 'bomb() { bomb | bomb & sleep 60; }; trap : USR1; sleep 1000 & wait; bomb & exec sleep 1000';
  await site.withTask({ name: 'bomb', script }, async view => {
    const pid = pidOf(view);
    const group = cgroupOf(pid);
    const now = (file: string): number => Number(readFileSync(`${group}/${file}`, 'utf8'));
    t.is(now('pids.max'), 64);
    // How often a fork was refused; the number of processes rises and falls. Source: cgroup-v1/pids.rst, cgroup-v2.rst, "pids.events"
    await eventually('the limit reached', 60_000, () => {
      process.kill(pid, 'SIGUSR1'); // again: it may have come before the trap
      return /^max [1-9]/m.test(readFileSync(`${group}/pids.events`, 'utf8'));
    });
    t.true(now('pids.current') <= 64);
  });
  await settleNodes(site.cluster);
});

/** Directory of a process's pids controller. Source: proc_pid_cgroup(5) */
function cgroupOf(pid: number): string {
  const line = readFileSync(`/proc/${String(pid)}/cgroup`, 'utf8').split('\n').find(one => /^\d+:(?:pids|):/.test(one)) ?? '';
  const [, controller = '', ...path] = line.split(':');
  return `/sys/fs/cgroup/${controller === '' ? '' : 'pids'}${path.join(':')}`;
}

test.serial('F14: with `init: true` no zombie stays; without, they do', async t => {
  const script = 'for i in 1 2 3; do (sleep 0.2 &); done; exec sleep 1000';
  const zombies = async (name: string): Promise<number> => {
    const count = 'grep -l "^State:.Z" /proc/[0-9]*/status 2>/dev/null | wc -l';
    return await eventually(`the count in ${name}`, 60_000, async () => {
      const { exitCode, stdout } = await site.cluster.tryCtl('exec', `${name}/main`, '--', 'sh', '-c', count);
      return exitCode === 0 && /^\d+$/.test(stdout.trim()) ? Number(stdout) : undefined;
    });
  };
  await site.withTask({ name: 'plain', script }, async () => {
    await eventually('three zombies', 60_000, async () => await zombies('plain') === 3);
    await site.withTask({ name: 'reaped', script, more: ['init: true'] }, async view => {
      await eventually('the children started and gone', 60_000, async () => Date.now() - (view.status?.startedAtMs ?? Date.now()) > 1_000 && await zombies('reaped') === 0);
    });
    t.is(await zombies('plain'), 3);
  });
});

test.serial('I-5: its session record deleted, the node registers again and nothing is restarted', async t => {
  await site.withTask({ name: 'kept' }, async view => {
    const identity = identityOf(pidOf(view));
    const pki = `${site.cluster.layout.stateDir}/pki/etcd-client`;
    const etcdctl = async (...args: readonly string[]): Promise<string> => (await runCommand('etcdctl', ['--endpoints', `https://127.0.0.1:${String(site.cluster.layout.etcdPort)}`,
      '--cacert', `${pki}/ca.pem`, '--cert', `${pki}/certificate.pem`, '--key', `${pki}/key.pem`, ...args])).stdout.trim();
    t.is(await etcdctl('del', '/gantry/v1/sessions/n1'), '1');
    await eventually('a new session record', 60_000, async () => (await etcdctl('get', '--keys-only', '/gantry/v1/sessions/n1')) !== '');
    const [after] = await running(site.client, 'kept');
    t.is(identityOf(pidOf(after)), identity);
    t.is(after?.status?.restarts, 0);
  });
});
