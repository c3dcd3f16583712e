/** Rows F3, F6, F10, F11 and F12: a node that has no room for logs, no disk for a while, no processes, descriptors or memory left (needs root, loop devices). */
import { existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { requireCommand, runCommand } from '#kit/command-process.ts';
import { TEST_TIMES } from '#model/times.ts';
import { AgentMachine } from '../../../support/agent-machine.ts';
import { container, service, task as makeTask, taskId } from '../../../support/builders.ts';
import { eventually } from '../../../support/dev-cluster.ts';
import { lasting } from '../../../support/fault-bench.ts';
import { inside, mountLoopDisk, unmountDisk, whyNoLoopDisk } from '../../../support/loop-disk.ts';
import { identityOf, inMountsOf, logLines, monitorOf, oneService, pidOf, running, taskOnce, wantedTasks } from '../../../support/node-faults.ts';
import { useOneNode } from '../../../support/one-node.ts';

const SLEEPER = 'trap "exit 0" TERM; while :; do sleep 1; done';
const MIB = 2 ** 20;
const BIN = path.resolve(import.meta.dirname, '../../../../deploy/bin');
const why = whyNoLoopDisk();
const onLoop = why === undefined ? test.serial : test.serial.skip;
const onV1 = existsSync('/sys/fs/cgroup/memory/memory.limit_in_bytes') ? test.serial : test.serial.skip;

const site = useOneNode();

test.serial('F3: the log disk full: lines are lost and that is told, the container goes on, and its exit code is the real one', async t => {
  const script = 'trap "exit 7" USR1; trap "exit 0" TERM; if [ -e /data/again ]; then i=0; while [ $i -lt 40000 ]; do echo line $i of many lines that fill a disk; i=$((i+1)); done; touch /data/done; fi; touch /data/again; while :; do echo one more line; sleep 0.1; done';
  await site.cluster.apply(`${oneService({ name: 'logs', script, more: ['volumes: ["data:/data"]'] })}volumes:\n  data: {}\n`);
  const [view] = await running(site.client, 'logs');
  const logs = `${site.cluster.layout.stateDir}/n1/state/tasks/${view?.task.id ?? ''}/logs`;
  await inMountsOf(site.cluster, 'n1', 'mount', '-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', logs);
  try {
    process.kill(pidOf(view), 'SIGUSR1');
    const again = await taskOnce(site.client, 'logs', 'the next attempt', one => one.status?.attempt === 2 && one.state === 'running');
    t.is(again.status?.lastExit?.code, 7);
    await eventually('all its lines written or lost', 60_000, async () => (await site.cluster.tryCtl('exec', 'logs/main', '--', 'test', '-e', '/data/done')).exitCode === 0);
    await eventually('the event', 60_000, async () => (await site.client.events({ object: `task/${again.task.id}` })).some(event => event.reason === 'LogLinesLost'));
    process.kill(pidOf(again), 'SIGUSR1');
    const third = await taskOnce(site.client, 'logs', 'the third attempt', one => one.status?.attempt === 3 && one.state === 'running');
    t.is(third.status?.lastExit?.code, 7);
  } finally {
    await inMountsOf(site.cluster, 'n1', 'umount', '-l', logs);
    await site.cluster.ctl('delete', 'app/logs', '-y');
    await site.cluster.tryCtl('volume', 'rm', 'data', '-y');
  }
});

onLoop(`F6: the state disk frozen for 30 s: heartbeats go on, and so does all else after it${why === undefined ? '' : ` (${why})`}`, async t => {
  t.timeout(120_000);
  const machine = await AgentMachine.create();
  t.teardown(async () => { await machine.close(); });
  const state = path.join(machine.directory, 'state');
  mountLoopDisk({ file: path.join(machine.directory, 'disk'), mountPoint: state, mebibytes: 48 }, machine.enter);
  const image = await machine.serveImage(['/bin/sh', '-c', 'sleep 3600']);
  const aTask = (id: string): ReturnType<typeof makeTask> => makeTask(service(), 'n1', { id: taskId(id), container: container({ ...image, stopGracePeriodMs: 500 }) });
  const [before, meanwhile] = [aTask('before'), aTask('meanwhile')];
  await machine.startAgent();
  machine.desire(before);
  const first = await machine.until('the first task runs', before.id, status => status.phase === 'running');
  const beatsBefore = machine.beatsAtMs.length;
  inside(machine.enter, 'fsfreeze', '-f', state);
  try {
    machine.desire(before, meanwhile);
    await lasting(30_000);
  } finally {
    inside(machine.enter, 'fsfreeze', '-u', state);
  }
  const beats = machine.beatsAtMs.slice(beatsBefore - 1);
  const silences = beats.slice(1).map((atMs, index) => atMs - (beats[index] ?? 0));
  t.true(silences.length > 0 && Math.max(...silences, performance.now() - (beats.at(-1) ?? 0)) < TEST_TIMES.lostMs, 'no silence of LOST');
  t.is(machine.registrations, 1);
  await machine.until('the new task runs', meanwhile.id, status => status.phase === 'running');
  t.like(machine.statuses.get(before.id), { phase: 'running', pid: first.pid, attempt: 1 });
  machine.desire();
  await eventually('nothing is left of the tasks', 60_000, () => inside(machine.enter, 'ls', path.join(state, 'tasks')) === '');
  await machine.killAgent();
  await unmountDisk(state, machine.enter);
  await machine.leave();
  t.deepEqual(await machine.leftovers(), []);
});

test.serial('F10: no more processes for the agent: it lives, starts say why they wait, and go on once there are some', async t => {
  const group = `/sys/fs/cgroup/${existsSync('/sys/fs/cgroup/pids/cgroup.procs') ? 'pids/' : ''}${site.cluster.layout.nodes[0]?.scope ?? ''}-pids`;
  const home = path.join(path.dirname(group), 'cgroup.procs');
  mkdirSync(group);
  const agent = site.agentPid;
  try {
    writeFileSync(`${group}/cgroup.procs`, String(agent));
    // Less than it has, so that a thread which ends makes no room. Source: cgroup-v1/pids.rst: "it is possible to have pids.current > pids.max"
    writeFileSync(`${group}/pids.max`, '1');
    await site.cluster.apply(oneService({ name: 'crowded', script: SLEEPER }));
    const refused = await taskOnce(site.client, 'crowded', 'the reason', view => view.status?.reason === 'NodePressure');
    t.regex(refused.status?.message ?? '', /no more processes/);
    writeFileSync(`${group}/pids.max`, 'max');
    const [view] = await running(site.client, 'crowded');
    t.is(view?.status?.restarts, 0, 'nothing counted');
    t.is(site.agentPid, agent);
  } finally {
    writeFileSync(`${group}/pids.max`, 'max');
    await site.cluster.ctl('delete', 'app/crowded', '-y');
    await eventually('the group empty', 60_000, () => {
      readFileSync(`${group}/cgroup.procs`, 'utf8').split('\n').filter(line => line !== '').forEach(pid => { writeFileSync(home, pid); });
      rmdirSync(group);
      return true;
    });
  }
});

/** The process of a container whose command line says so; undefined: there is none. */
function processSaying(words: string): number | undefined {
  return readdirSync('/proc').filter(name => /^\d+$/.test(name)).map(Number).find(pid => {
    try {
      return readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8') === `${words.replaceAll(' ', '\0')}\0`;
    } catch {
      return false;
    }
  });
}

test.serial('F11: no more descriptors for the agent for 30 s: its beats and what runs go on, nothing begins; after it all that was asked for meanwhile is done, and nothing is lost', async t => {
  t.timeout(600_000);
  const agent = site.agentPid;
  const open = (): number => readdirSync(`/proc/${String(agent)}/fd`).length;
  const limit = async (count: string): Promise<void> => { await requireCommand('prlimit', ['--pid', String(agent), `--nofile=${count}:`]); };
  const registrations = (): number => logLines(site.cluster, 'n1').filter(({ msg }) => msg === 'registered').length;
  const conditionSince = async (): Promise<unknown> => (await site.client.view({})).nodes.map(({ node }) => [node.condition, node.conditionSinceMs]);
  // What an agent opens once is open now.
  await site.withTask({ name: 'first', script: SLEEPER }, async () => { await site.cluster.ctl('exec', 'first/main', '--', 'true'); });
  const before = open();
  const usual = /^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${String(agent)}/limits`, 'utf8'))?.[1] ?? '1024';
  await site.cluster.apply(oneService({ name: 'going', script: SLEEPER }));
  const [going] = await running(site.client, 'going');
  const probed = { name: 'beside', script: SLEEPER, more: ['healthcheck: { test: [CMD, "true"], interval: 500ms, timeout: 20s, retries: 4 }'] };
  await site.withTask(probed, async beside => {
    const identities = [pidOf(beside), monitorOf(beside)].map(identityOf);
    const leaving = new AbortController();
    const exec = runCommand(`${BIN}/clusterctl`, ['exec', 'beside/main', '--', 'sleep', '98765'], { timeoutMs: 300_000, environment: site.cluster.environment, signal: leaving.signal }).catch((error: unknown) => error);
    await eventually('the exec', 60_000, () => processSaying('sleep 98765'));
    const [registered, since] = [registrations(), await conditionSince()];
    // Those that are open stay so, and the next one would have to be below 3, where its stdio is. Source: getrlimit(2), RLIMIT_NOFILE
    await limit('3');
    try {
      const enough = lasting(30_000);
      await site.cluster.apply(oneService({ name: 'closed', script: SLEEPER }));
      await site.cluster.ctl('delete', 'app/going', '-y', '--detach');
      leaving.abort();
      await exec;
      t.not((await site.cluster.tryCtl('exec', 'beside/main', '--', 'true')).exitCode, 0);
      const refused = await taskOnce(site.client, 'closed', 'the reason', ({ status }) => status?.reason === 'NodePressure');
      t.regex(refused.status?.message ?? '', /no more open files/);
      await enough;
      t.is(site.agentPid, agent);
      t.deepEqual((await wantedTasks(site.client, 'closed')).filter(({ state }) => state === 'running'), []);
      t.deepEqual([registrations(), await conditionSince()], [registered, since]);
    } finally {
      await limit(usual);
    }
    const [view] = await running(site.client, 'closed');
    t.is(view?.status?.restarts, 0, 'nothing counted');
    await eventually('what was to stop gone', 60_000, () => identityOf(pidOf(going)) === '');
    await eventually('what was exec\'ed gone with its client', 60_000, () => processSaying('sleep 98765') === undefined);
    t.is((await site.cluster.tryCtl('exec', 'beside/main', '--', 'true')).exitCode, 0);
    t.deepEqual([pidOf(beside), monitorOf(beside)].map(identityOf), identities);
    t.is(site.agentPid, agent);
    await site.cluster.ctl('delete', 'app/closed', '-y');
  });
  await eventually(`${String(before)} descriptors again`, 60_000, () => {
    if (open() > before) throw new Error(`${String(open())} are open`);
    return true;
  });
});

onV1('F12: the node out of memory: the container that eats it goes first; the agent and the other container live', async t => {
  const scope = `/sys/fs/cgroup/memory/${site.cluster.layout.nodes[0]?.scope ?? ''}`;
  const agent = site.agentPid;
  const home = `/sys/fs/cgroup/memory${/^\d+:memory:(.*)$/m.exec(readFileSync(`/proc/${String(agent)}/cgroup`, 'utf8'))?.[1] ?? ''}/cgroup.procs`;
  const script = 'trap "exit 0" TERM; while [ ! -e /tmp/go ]; do sleep 0.1; done; exec dd if=/dev/zero of=/dev/null bs=400M count=1';
  const eater = { name: 'eater', script, more: ['restart: { policy: never }', 'resources: { requests: { memory: 8Mi }, limits: { memory: 1Gi } }'] };
  await site.withTask({ name: 'beside', script: SLEEPER }, async beside => {
    await site.withTask(eater, async view => {
      const before = [agent, monitorOf(beside), pidOf(beside)].map(identityOf);
      t.is(readFileSync(`/proc/${String(pidOf(view))}/oom_score_adj`, 'utf8').trim(), '100');
      try {
        writeFileSync(`${scope}/cgroup.procs`, String(agent));
        writeFileSync(`${scope}/memory.limit_in_bytes`, String(Number(readFileSync(`${scope}/memory.usage_in_bytes`, 'utf8')) + 256 * MIB));
        await site.cluster.ctl('exec', 'eater/main', '--', 'touch', '/tmp/go');
        const ended = await taskOnce(site.client, 'eater', 'its end', one => one.status?.lastExit !== undefined);
        t.is(ended.status?.lastExit?.code, 137);
      } finally {
        writeFileSync(`${scope}/memory.limit_in_bytes`, '-1');
        writeFileSync(home, String(agent));
      }
      t.deepEqual([agent, monitorOf(beside), pidOf(beside)].map(identityOf), before);
    });
  });
});
