/** What needs no container: the rotation of logs, with this process as everybody's monitor, and how one that ended is forgotten. */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, readSync, renameSync, rmdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { Cgroups } from '../../../../agent/cgroup/ports.ts';
import { ConmonRuntime } from '../../../../agent/runtime/conmon-process.ts';
import { LOG_FILE_BYTES } from '../../../../agent/logs/log-bounds.ts';
import { ContainerRecords, identify } from '../../../../agent/runtime/container-record-fs.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

/** A container with a log of ten bytes. */
interface Logged {
  readonly logPath: string;
  readonly bundlePath: string;
  /** What its monitor was told since the last look. */
  readonly heard: () => string;
}

function makeRuntime(t: ExecutionContext): { readonly runtime: ConmonRuntime; readonly clock: FakeClock; readonly add: (id: string) => Logged } {
  const directory = mkdtempSync(path.join(tmpdir(), 'gantry-rotate-'));
  t.teardown(() => { rmSync(directory, { recursive: true }); });
  const clock = new FakeClock();
  const runtime = new ConmonRuntime({ stateDir: `${directory}/state`, programs: new Map(), conmonPath: '/none', cgroups: {} as Cgroups, clock });
  const records = new ContainerRecords(`${directory}/state`);
  const monitor = identify(process.pid);
  if (monitor === undefined) throw new Error('this process is not there');
  const add = (id: string): Logged => {
    const [bundlePath, logPath] = [`${directory}/${id}`, `${directory}/${id}/log`];
    mkdirSync(bundlePath);
    writeFileSync(logPath, 'x'.repeat(10));
    execFileSync('mkfifo', [`${bundlePath}/ctl`]);
    const ctl = openSync(`${bundlePath}/ctl`, constants.O_RDWR | constants.O_NONBLOCK);
    t.teardown(() => { closeSync(ctl); });
    records.open(id, { runtime: 'crun', bundlePath, logPath, terminal: false, stdin: false, monitor });
    return { logPath, bundlePath, heard: () => readNow(ctl) };
  };
  return { runtime, clock, add };
}

function readNow(fd: number): string {
  const buffer = Buffer.alloc(100);
  try {
    return buffer.toString('utf8', 0, readSync(fd, buffer));
  } catch {
    return ''; // EAGAIN: nothing
  }
}

test('a log that its monitor replaces keeps its bytes under older names, four files in all', async t => {
  const { runtime, clock, add } = makeRuntime(t);
  const { logPath, heard } = add('one');
  for (const text of ['a', 'b', 'c', 'd', 'e']) {
    writeFileSync(`${logPath}.tmp`, text);
    renameSync(`${logPath}.tmp`, logPath); // as conmon does at its limit
    await clock.advance(1_000);
    await runtime.rotateLogs();
  }
  t.deepEqual(['', '.1', '.2', '.3', '.4'].map(end => existsSync(`${logPath}${end}`) ? readFileSync(`${logPath}${end}`, 'utf8') : undefined), ['e', 'e', 'd', 'c', undefined]);
  t.is(heard(), '', 'the monitor keeps to the limit by itself');
});

test('a monitor of an earlier version, whose log grows above the limit, is asked for a new file once until it began one', async t => {
  const { runtime, clock, add } = makeRuntime(t);
  const one = add('one');
  const look = async (): Promise<string> => {
    await clock.advance(1_000);
    await runtime.rotateLogs();
    return one.heard();
  };
  t.is(await look(), '');
  truncateSync(one.logPath, LOG_FILE_BYTES + 1);
  t.is(await look(), '2 0 0\n');
  t.is(await look(), '', 'asked twice it would begin two');
  rmSync(one.logPath);
  t.is(await look(), '2 0 0\n', 'an agent of an earlier version moved it aside');
  writeFileSync(one.logPath, 'new');
  t.is(await look(), '');
});

test('a log that cannot be moved holds up no other', async t => {
  const { runtime, add } = makeRuntime(t);
  const [broken, whole] = [add('a'), add('b')];
  mkdirSync(`${broken.logPath}.3`);
  await t.throwsAsync(runtime.rotateLogs(), { message: /a\/log\.3/ });
  t.true(existsSync(`${whole.logPath}.1`));
  rmdirSync(`${broken.logPath}.3`);
  await runtime.rotateLogs();
  t.true(existsSync(`${broken.logPath}.1`));
});

test('a monitor that could not be asked is asked the next time: else its log would grow without end', async t => {
  const { runtime, add } = makeRuntime(t);
  const { bundlePath, logPath, heard } = add('one');
  truncateSync(logPath, LOG_FILE_BYTES + 1);
  execFileSync('mv', [`${bundlePath}/ctl`, `${bundlePath}/away`]);
  mkdirSync(`${bundlePath}/ctl`);
  await t.throwsAsync(runtime.rotateLogs(), { code: 'EISDIR' });
  rmdirSync(`${bundlePath}/ctl`);
  execFileSync('mv', [`${bundlePath}/away`, `${bundlePath}/ctl`]);
  await runtime.rotateLogs();
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
