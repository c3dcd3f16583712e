/** What needs no container: the rotation of logs, with this process as everybody's monitor, and how one that ended is forgotten. */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, existsSync, mkdirSync, mkdtempSync, openSync, readSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { Cgroups } from '../../../../agent/cgroup/ports.ts';
import { ConmonRuntime } from '../../../../agent/runtime/conmon-process.ts';
import { ContainerRecords, identify } from '../../../../agent/runtime/container-record-fs.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

const MAX_BYTES = 10;

/** A container with a log of MAX_BYTES. */
interface Logged {
  readonly logPath: string;
  readonly bundlePath: string;
  /** What its monitor was told since the last look. */
  readonly heard: () => string;
}

function makeRuntime(t: ExecutionContext): { readonly runtime: ConmonRuntime; readonly add: (id: string) => Logged } {
  const directory = mkdtempSync(path.join(tmpdir(), 'gantry-rotate-'));
  t.teardown(() => { rmSync(directory, { recursive: true }); });
  const runtime = new ConmonRuntime({ stateDir: `${directory}/state`, programs: new Map(), conmonPath: '/none', cgroups: {} as Cgroups, clock: new FakeClock() });
  const records = new ContainerRecords(`${directory}/state`);
  const monitor = identify(process.pid);
  if (monitor === undefined) throw new Error('this process is not there');
  const add = (id: string): Logged => {
    const [bundlePath, logPath] = [`${directory}/${id}`, `${directory}/${id}/log`];
    mkdirSync(bundlePath);
    writeFileSync(logPath, 'x'.repeat(MAX_BYTES));
    execFileSync('mkfifo', [`${bundlePath}/ctl`]);
    const ctl = openSync(`${bundlePath}/ctl`, constants.O_RDWR | constants.O_NONBLOCK);
    t.teardown(() => { closeSync(ctl); });
    records.open(id, { runtime: 'crun', bundlePath, logPath, terminal: false, stdin: false, monitor });
    return { logPath, bundlePath, heard: () => readNow(ctl) };
  };
  return { runtime, add };
}

function readNow(fd: number): string {
  const buffer = Buffer.alloc(100);
  try {
    return buffer.toString('utf8', 0, readSync(fd, buffer));
  } catch {
    return ''; // EAGAIN: nothing
  }
}

test('a log that is large enough is moved aside, and its monitor told once until it opened a new one', async t => {
  const { runtime, add } = makeRuntime(t);
  const one = add('one');
  await runtime.rotateLogs(MAX_BYTES);
  t.is(one.heard(), '2 0 0\n');
  t.true(existsSync(`${one.logPath}.1`));
  await runtime.rotateLogs(MAX_BYTES);
  t.is(one.heard(), '', 'told twice it would lose what it wrote in between');
  writeFileSync(one.logPath, 'new');
  await runtime.rotateLogs(MAX_BYTES);
  t.is(one.heard(), '');
  writeFileSync(one.logPath, 'x'.repeat(MAX_BYTES));
  await runtime.rotateLogs(MAX_BYTES);
  t.is(one.heard(), '2 0 0\n');
});

test('a log that cannot be moved holds up no other', async t => {
  const { runtime, add } = makeRuntime(t);
  const [broken, whole] = [add('a'), add('b')];
  mkdirSync(`${broken.logPath}.2`);
  await t.throwsAsync(runtime.rotateLogs(MAX_BYTES), { message: /a\/log\.2/ });
  t.is(broken.heard(), '');
  t.is(whole.heard(), '2 0 0\n');
  rmdirSync(`${broken.logPath}.2`);
  await runtime.rotateLogs(MAX_BYTES);
  t.is(broken.heard(), '2 0 0\n');
});

test('a monitor that could not be told is told the next time: else its log would grow without end', async t => {
  const { runtime, add } = makeRuntime(t);
  const { bundlePath, logPath, heard } = add('one');
  execFileSync('mv', [`${bundlePath}/ctl`, `${bundlePath}/away`]);
  mkdirSync(`${bundlePath}/ctl`);
  await t.throwsAsync(runtime.rotateLogs(MAX_BYTES), { code: 'EISDIR' });
  t.false(existsSync(logPath));
  rmdirSync(`${bundlePath}/ctl`);
  execFileSync('mv', [`${bundlePath}/away`, `${bundlePath}/ctl`]);
  await runtime.rotateLogs(MAX_BYTES);
  t.is(heard(), '2 0 0\n');
});

for (const name of ['crun', 'runc']) {
  test(`${name}: a container of which no process is left is forgotten without its program; one that may have some is its program's`, async t => {
    const directory = mkdtempSync(path.join(tmpdir(), 'gantry-forget-'));
    t.teardown(() => { rmSync(directory, { recursive: true }); });
    const cgroups = { killAll: () => Promise.resolve(), remove: () => Promise.resolve() } as unknown as Cgroups;
    const runtime = new ConmonRuntime({ stateDir: directory, programs: new Map([[name, '/bin/false']]), conmonPath: '/none', cgroups, clock: new FakeClock() });
    const records = new ContainerRecords(directory);
    const alive = identify(process.pid);
    if (alive === undefined) throw new Error('this process is not there');
    const add = (id: string, container: typeof alive): string => {
      const state = `${directory}/${name}/root/${id}`;
      mkdirSync(state);
      writeFileSync(`${state}/status`, '{}');
      records.open(id, { runtime: name, bundlePath: directory, logPath: '', terminal: false, stdin: false, container });
      return state;
    };
    const ended = add('ended', { ...alive, startTicks: alive.startTicks - 1 });
    await runtime.remove('ended');
    t.false(existsSync(ended));
    t.deepEqual(records.list(), []);
    add('running', alive);
    await t.throwsAsync(runtime.remove('running'), { message: /\/bin\/false/ });
    t.deepEqual(records.list(), ['running']);
  });
}
