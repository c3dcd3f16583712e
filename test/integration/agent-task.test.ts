/** needs root, crun, conmon, docker-registry, dnsmasq, nft: the agent as a process, from an assignment to a container and back. */
import { chmodSync, readFileSync } from 'node:fs';
import test from 'ava';
import { isForward } from '#model/task.ts';
import type { ContainerSpec } from '#model/service.ts';
import type { Task } from '#model/task.ts';
import { AgentMachine } from '../support/agent-machine.ts';
import { container, service, task as makeTask, taskId } from '../support/builders.ts';

const isRoot = process.getuid?.() === 0;
/** Below the directories that are closed to others, themselves among them. */
const OF_CONTAINERS = /\/(?:snapshots|bundles|tasks|images\/layers|(?:run|state)\/volumes)\//;
const CLOSED = /\/(?:snapshots|bundles|run\/volumes)\/[^/]+$/;
const needsRoot = isRoot ? test.serial : test.serial.skip;

function startedAt(pid: number): string {
  return readFileSync(`/proc/${String(pid)}/stat`, 'utf8').split(') ')[1]?.split(' ')[19] ?? '';
}

needsRoot('needs root: a task runs, dies with its true code, is restarted in place, is adopted after kill -9, and leaves nothing', async t => {
  t.timeout(300_000);
  const machine = await AgentMachine.create();
  t.teardown(async () => { await machine.close(); });
  const image = await machine.serveImage(['/bin/sh', '-c', 'sleep 3600']);
  const aTask = (id: string, options: Partial<ContainerSpec> = {}, rest: Partial<Task> = {}): Task =>
    makeTask(service(), 'n1', { id: taskId(id), container: container({ ...image, stopGracePeriodMs: 500, ...options }), ...rest });
  const web = aTask('web', { volumes: [{ kind: 'volume', source: 'data', target: '/data', readOnly: false }] }, { volumes: [{ name: 'data', perReplica: false }] });
  await machine.startAgent();

  machine.desire(web);
  const first = await machine.until('web runs', web.id, status => status.phase === 'running');
  t.is(first.attempt, 1);
  t.regex(first.address ?? '', /^10\.128\.3\.\d+$/);

  const job = aTask('job', { command: ['/bin/sh', '-c', 'exit 7'], entrypoint: [], restart: { mode: 'never', maxAttempts: 1, windowMs: 1_000, delayMs: 1_000 } }, { kind: 'job' });
  machine.desire(web, job);
  t.like(await machine.until('the job ends', job.id, status => status.phase === 'failed'), { lastExit: { code: 7, reason: 'exited', attempt: 1 } });

  process.kill(first.pid ?? 0, 'SIGKILL');
  const second = await machine.until('web is restarted', web.id, status => status.phase === 'running' && status.attempt === 2);
  t.is(second.address, first.address);
  t.like(second.lastExit, { code: 137, reason: 'signal:KILL', attempt: 1 });

  const filesOfContainers = (): readonly string[] => machine.files().filter(path => OF_CONTAINERS.test(path));
  const closed = filesOfContainers().filter(path => CLOSED.test(path));
  for (const kind of ['snapshots', 'bundles', 'run/volumes']) t.true(closed.some(path => path.includes(`/${kind}`)), kind);
  t.deepEqual(machine.foundByOthers(filesOfContainers()).filter(path => !CLOSED.test(path)), []);

  const startTicks = startedAt(second.pid ?? 0);
  await machine.killAgent();
  for (const path of [...closed, ...['images/layers', 'volumes'].map(name => `${machine.directory}/state/${name}`)]) chmodSync(path, 0o755);
  await machine.startAgent();
  const adopted = await machine.until('web is adopted', web.id, status => status.phase === 'running');
  t.like(adopted, { attempt: 2, pid: second.pid });
  t.is(startedAt(adopted.pid ?? 0), startTicks);
  t.deepEqual(machine.foundByOthers(filesOfContainers()).filter(path => !CLOSED.test(path)), [], 'what an earlier agent left open');

  await machine.killAgent();
  process.kill(adopted.pid ?? 0, 'SIGKILL');
  await machine.startAgent();
  t.like(await machine.until('web runs again', web.id, status => status.phase === 'running' && status.attempt === 3), { lastExit: { code: 137, attempt: 2 } });

  machine.desire({ ...web, desired: 'stop' }, job);
  t.like(await machine.until('web is stopped', web.id, status => status.phase === 'complete'), { reason: 'stopped' });
  machine.desire();
  t.deepEqual(machine.journal(), [`${web.id} 1`, `${job.id} 1`, `${web.id} 2`, `${web.id} 3`]);
  for (const id of [web.id, job.id]) {
    machine.history.filter(status => status.id === id).reduce((previous, next) => {
      t.true(isForward(previous, next), `${previous.phase} ${String(previous.attempt)} -> ${next.phase} ${String(next.attempt)}`);
      return next;
    });
  }
  await machine.killAgent();
  await machine.leave();
  t.deepEqual(await machine.leftovers(), []);
});

interface StartStep {
  readonly at: string;
  /** What does not get done before that. */
  readonly late?: readonly string[];
  /** What is on the disk when the agent is dead; absent: either may be. */
  readonly isRecorded?: boolean;
  readonly isInJournal?: boolean;
  /** Containers that wait for their start then, or run. */
  readonly containers?: number;
  /** Which attempt runs in the end: a container that may have been started is never started again under its number. */
  readonly attempt: number;
}

const NOTHING = { isInJournal: false, containers: 0, attempt: 1 } as const;
/** In the order that a start goes through them; from create on, the record and the journal's line are written while the runtime works. */
const START_STEPS: readonly StartStep[] = [
  ...['before-slot', 'before-rootfs', 'before-volumes', 'before-bundle', 'before-create'].map(at => ({ at, ...NOTHING })),
  { at: 'after-record', late: ['before-create', 'before-start-line'], isRecorded: true, ...NOTHING, attempt: 2 },
  { at: 'after-start-line', late: ['before-create', 'before-record'], isRecorded: false, isInJournal: true, containers: 0, attempt: 2 },
  { at: 'before-journal', late: ['before-record', 'before-start-line'], isRecorded: false, isInJournal: false, containers: 1, attempt: 2 },
  { at: 'before-journal', containers: 1, attempt: 2 },
  { at: 'before-start', isRecorded: true, isInJournal: true, containers: 1, attempt: 2 },
  { at: 'after-start', isRecorded: true, isInJournal: true, containers: 1, attempt: 1 },
];
/** Longer than any test. */
const LATE_MS = 3_600_000;

/** Of each step: KILLS=10 takes some minutes. */
const KILLS = Number(process.env['KILLS'] ?? 1);

needsRoot('needs root: E2: the agent killed at each step of a start: one start an attempt, one container, nothing left', async t => {
  t.timeout(600_000);
  const machine = await AgentMachine.create();
  t.teardown(async () => { await machine.close(); });
  const image = await machine.serveImage(['/bin/sh', '-c', 'sleep 3600']);
  const web = makeTask(service(), 'n1', { id: taskId('web'), container: container({ ...image, stopGracePeriodMs: 500 }) });
  // The image is there from here on: a pull writes a record of its own.
  const first = { ...web, id: taskId('first') };
  await machine.startAgent();
  machine.desire(first);
  await machine.until('the first runs', first.id, status => status.phase === 'running');
  machine.desire({ ...first, desired: 'stop' });
  await machine.until('the first stops', first.id, status => status.phase === 'complete');
  machine.desire();
  await machine.leaves([first.id]);
  const before = machine.files();
  await machine.killAgent();
  for (const [index, step] of Array.from({ length: KILLS }, () => START_STEPS).flat().entries()) {
    const task = { ...web, id: taskId(`web${String.fromCharCode(97 + Math.floor(index / 26))}${String.fromCharCode(97 + index % 26)}`) };
    const name = [step.at, ...(step.late ?? [])].join(', without ');
    machine.desire(task);
    await machine.startAgent({ FAILPOINTS: [`agent.${step.at}=1*panic`, ...(step.late ?? []).map(late => `agent.${late}=delay(${String(LATE_MS)})`)].join(';') });
    await machine.agentEnded();
    const found = { isRecorded: machine.hasRecord(task.id), isInJournal: machine.journal().includes(`${task.id} 1`), containers: machine.containers().filter(id => id.includes(task.id)).length };
    t.like(found, { ...(step.isRecorded === undefined ? {} : { isRecorded: step.isRecorded }), ...(step.isInJournal === undefined ? {} : { isInJournal: step.isInJournal }), ...(step.containers === undefined ? {} : { containers: step.containers }) }, name);
    await machine.startAgent();
    const status = await machine.until(`${name}: it runs`, task.id, one => one.phase === 'running');
    t.is(status.attempt, step.attempt, name);
    t.is(machine.containers().filter(id => id.includes(task.id)).length, 1, name);
    machine.desire({ ...task, desired: 'stop' });
    await machine.until(`${name}: it stops`, task.id, one => one.phase === 'complete');
    // A start of the agent writes down what it finds of each task, which the next step is not about.
    machine.desire();
    await machine.leaves([task.id]);
    await machine.killAgent();
  }
  t.is(new Set(machine.journal()).size, machine.journal().length);
  t.deepEqual(machine.files().filter(file => !before.includes(file)), []);
  await machine.leave();
  t.deepEqual(await machine.leftovers(), []);
});

needsRoot('needs root: containers run on copies too: --snapshotter vfs writes, restarts, adopts and leaves nothing', async t => {
  t.timeout(300_000);
  const machine = await AgentMachine.create();
  t.teardown(async () => { await machine.close(); });
  const image = await machine.serveImage(['/bin/sh', '-c', 'echo mine > /new && ls -ln /new && sleep 3600']);
  const web = makeTask(service(), 'n1', { id: taskId('web'), container: container({ ...image, stopGracePeriodMs: 500 }) });
  await machine.startAgent({ FAILPOINTS: 'agent.before-volumes=1*panic' }, ['--snapshotter', 'vfs']);
  machine.desire(web);
  await machine.agentEnded();
  await machine.startAgent({}, ['--snapshotter', 'vfs']);
  const first = await machine.until('web runs on a copy', web.id, status => status.phase === 'running');
  t.true(machine.log.includes('root file systems by vfs: as configured'));
  await machine.killAgent();
  // What another driver made is looked after by this one.
  await machine.startAgent();
  t.like(await machine.until('web is adopted', web.id, status => status.phase === 'running'), { pid: first.pid });
  machine.desire({ ...web, desired: 'stop' });
  await machine.until('web is stopped', web.id, status => status.phase === 'complete');
  machine.desire();
  await machine.killAgent();
  await machine.leave();
  t.deepEqual(await machine.leftovers(), []);
});

/** Enough that one entry a container stands out. */
const MANY = 30;

needsRoot('needs root: thirty containers that ran, failed, were restarted and stopped leave no file on the node, and no group', async t => {
  t.timeout(600_000);
  const machine = await AgentMachine.create();
  t.teardown(async () => { await machine.close(); });
  const image = await machine.serveImage(['/bin/sh', '-c', 'sleep 3600']);
  const scripts = ['exit 0', 'exit 3', 'echo words; sleep 3600', 'exit 1'];
  const taskOf = (index: number): Task => makeTask(service(), 'n1', {
    id: taskId(`many${String.fromCharCode(97 + Math.floor(index / 26))}${String.fromCharCode(97 + index % 26)}`), kind: index % 2 === 0 ? 'job' : 'service',
    container: container({
      ...image, entrypoint: [], command: index === 7 ? ['/bin/nothing'] : ['/bin/sh', '-c', scripts[index % scripts.length] ?? ''], stopGracePeriodMs: 100, tty: index % 5 === 0, stdin: index % 3 === 0,
      restart: { mode: index % 2 === 0 ? 'never' : 'on-failure', maxAttempts: 2, windowMs: 60_000, delayMs: 100 },
    }),
  });
  const tasks = Array.from({ length: MANY }, (_, index) => taskOf(index));
  await machine.startAgent();
  const first = makeTask(service(), 'n1', { id: taskId('first'), container: container({ ...image, stopGracePeriodMs: 100 }) });
  machine.desire(first);
  await machine.until('the first runs', first.id, status => status.phase === 'running');
  machine.desire();
  await machine.leaves([first.id]);
  const before = machine.files();
  machine.desire(...tasks);
  for (const task of tasks) {
    await machine.until(`${task.id} is under way or over`, task.id, status => ['running', 'complete', 'failed'].includes(status.phase), 300_000);
  }
  machine.desire();
  await machine.leaves(tasks.map(task => task.id));
  t.deepEqual(machine.files().filter(file => !before.includes(file)), []);
});
