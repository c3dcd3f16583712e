/** needs root: logs of containers: read, followed, bounded under load, whole after the log writer was killed or replaced. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import test from 'ava';
import { systemClock } from '#kit/clock.ts';
import { startProcess } from '#kit/command-process.ts';
import { readLogWriter } from '../../agent/logs/log-writer-file-fs.ts';
import { LOG_FILE_BYTES, LOG_FILES } from '../../agent/logs/log-rotation.ts';
import type { LogQuery } from '../../agent/logs/log-fs.ts';
import { readWholeLog } from '../../agent/logs/whole-log-flow.ts';
import { ConmonRuntime } from '../../agent/runtime/conmon-process.ts';
import { ContainerRecords, isRunning } from '../../agent/runtime/container-record-fs.ts';
import type { ContainerRecord } from '../../agent/runtime/container-record-fs.ts';
import { eventually, makeSandbox } from '../support/container-sandbox.ts';
import { insidePrivateMounts } from '../support/private-mounts.ts';

const NEVER = new AbortController().signal;
const ENDED = AbortSignal.abort();
const RUNNING = new AbortController().signal;
const BOUND_BYTES = LOG_FILES * LOG_FILE_BYTES;
const WRITER = new URL('../../agent/logs/log-writer-worker.ts', import.meta.url).pathname;

if (insidePrivateMounts(import.meta.filename)) {
  const sandbox = makeSandbox('logs');
  const { runtime } = sandbox;
  const stateDir = sandbox.options.stateDir;
  test.after.always('nothing is left', async t => { t.deepEqual(await sandbox.tearDown(), []); });

  const textOf = async (id: string, query: LogQuery, ended: AbortSignal = ENDED): Promise<string> => {
    const source = { path: `${sandbox.bundleOf(id)}/log`, ended, clock: systemClock, writerOf: (path: string) => runtime.writerOf(path), isOpen: (one: string) => runtime.isLogOpen(one) };
    const parts: Uint8Array[] = [];
    for await (const records of readWholeLog(source, query, NEVER)) {
      parts.push(...records.map(record => record.bytes));
    }
    return Buffer.concat(parts).toString('utf8');
  };
  /** Reads all files of a log at one moment; reads again if a rotation came between. */
  const bytesOf = (id: string): number => {
    const look = (): readonly { readonly ino: number; readonly size: number }[] => readdirSync(sandbox.bundleOf(id)).filter(name => /^log(?:\.\d)?$/.test(name)).toSorted()
      .map(name => statSync(`${sandbox.bundleOf(id)}/${name}`, { throwIfNoEntry: false }) ?? { ino: 0, size: 0 });
    const [before, now] = [look(), look()];
    const isSame = before.length === now.length && before.every(({ ino }, index) => ino === now[index]?.ino);
    return isSame ? before.reduce((sum, { size }) => sum + size, 0) : bytesOf(id);
  };
  const writtenBytes = (pid: number): number => Number(/^wchar: (\d+)$/m.exec(readFileSync(`/proc/${String(pid)}/io`, 'utf8'))?.[1]);
  const writer = (): NonNullable<ReturnType<typeof readLogWriter>> => readLogWriter(stateDir) ?? { process: { pid: 0, startTicks: 0 }, build: '' };
  const killWriter = async (): Promise<void> => {
    const { process: one } = writer();
    process.kill(one.pid, 'SIGKILL');
    await eventually('the log writer gone', () => Promise.resolve(isRunning(one) ? undefined : true));
  };
  const startWriter = async (): Promise<void> => {
    await eventually('a log writer', () => {
      runtime.ensureLogWriter();
      return Promise.resolve(isRunning(writer().process) || undefined);
    });
  };
  /** Index of the first line that is not one more than the line before; -1: all are in order. */
  const firstGap = (lines: readonly string[]): number => lines.findIndex((line, index) => index > 0 && Number(line) !== Number(lines[index - 1]) + 1);

  for (const name of sandbox.options.programs.keys()) {
    test.serial(`needs root: ${name}: UTF-8 and a last line without newline come as written, and the container has no descriptor of the pipe`, async t => {
      const id = `plain-${name}`;
      await sandbox.run(id, { command: ['sh', '-c', 'echo grüße; ls /proc/self/fd | tr "\\n" " "; printf "end"'] }, { runtime: name });
      await sandbox.endOf(id);
      t.is(await textOf(id, { follow: false }), 'grüße\n0 1 2 3 end');
      t.is(await textOf(id, { follow: false, tail: 0 }), '');
      await runtime.remove(id);
    });
  }

  test.serial('needs root: output without end keeps the log within 30 MiB, and its newest lines are in order', async t => {
    const { monitor } = await sandbox.run('fast', { command: ['seq', '1', '1000000000'] });
    let most = 0;
    await eventually('more than the bound', () => {
      most = Math.max(most, bytesOf('fast'));
      return Promise.resolve(writtenBytes(monitor.pid) > 1.5 * BOUND_BYTES || undefined);
    });
    t.log(`${String(most / 2 ** 20)} MiB`);
    t.true(most <= BOUND_BYTES, String(most));
    t.true(most > BOUND_BYTES / 2, 'it did rotate');
    // A log that is being written, or whose container was killed, may end within a line.
    const whole = async (tail: number): Promise<readonly string[]> => (await textOf('fast', { follow: false, tail }, RUNNING)).split('\n').slice(0, -2);
    t.is(firstGap(await whole(1000)), -1);
    await runtime.kill('fast', 'KILL', false);
    await sandbox.endOf('fast');
    const last = await whole(50_000);
    t.is(firstGap(last), -1);
    t.true(last.length >= 49_990, String(last.length));
    await runtime.remove('fast');
  });

  test.serial('needs root: a follower gets every line, and these are more than the log keeps: the container waits for it', async t => {
    const count = 700_000;
    await sandbox.create('follow', { command: ['seq', '1', String(count)] });
    const ended = new AbortController();
    const followed = textOf('follow', { follow: true }, ended.signal);
    await runtime.start('follow');
    await sandbox.endOf('follow');
    ended.abort();
    const lines = (await followed).trimEnd().split('\n');
    t.is(lines.length, count);
    t.is(firstGap(lines), -1);
    t.true(bytesOf('follow') <= BOUND_BYTES);
    t.is(await textOf('follow', { follow: false, tail: 3 }), `${String(count - 2)}\n${String(count - 1)}\n${String(count)}\n`);
    await runtime.remove('follow');
  });

  test.serial('needs root: a log writer of another build takes over while a container writes, and no line is lost', async t => {
    const count = 300_000;
    await sandbox.create('over', { command: ['seq', '1', String(count)] });
    const ended = new AbortController();
    const followed = textOf('over', { follow: true }, ended.signal);
    await runtime.start('over');
    for (const build of ['other', 'third']) {
      const before = writer();
      startProcess(process.execPath, [WRITER, stateDir, build], { detached: true, stdio: 'ignore' }).unref();
      await eventually('the next log writer', () => Promise.resolve(writer().build === build && !isRunning(before.process) || undefined));
    }
    await sandbox.endOf('over');
    ended.abort();
    const lines = (await followed).trimEnd().split('\n');
    t.is(lines.length, count);
    t.is(firstGap(lines), -1);
    await runtime.remove('over');
  });

  test.serial('needs root: a container that ends while there is no log writer has its last lines, and one that writes more waits', async t => {
    await sandbox.create('late', { command: ['echo', 'late words'] });
    const much = await sandbox.create('much', { command: ['seq', '1', '200000'] });
    await killWriter();
    await runtime.start('late');
    await runtime.start('much');
    await sandbox.endOf('late');
    t.true(runtime.isLogOpen('late'));
    t.true(isRunning(much.monitor));
    await startWriter();
    t.is(await textOf('late', { follow: false }), 'late words\n');
    await sandbox.endOf('much');
    const lines = (await textOf('much', { follow: false })).trimEnd().split('\n');
    t.is(lines.length, 200_000);
    t.is(firstGap(lines), -1);
    for (const id of ['late', 'much']) await runtime.remove(id);
  });

  test.serial('needs root: on a full disk lines are dropped with a count, the log keeps whole ones, and the container runs to its end', async t => {
    const request = sandbox.requestOf('full', { command: ['seq', '1', '50000'] });
    const disk = `${sandbox.directory}/disk`;
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk]);
    try {
      await startWriter();
      await runtime.create({ ...request, logPath: `${disk}/log` }, NEVER);
      await runtime.start('full');
      t.is((await sandbox.endOf('full')).code, 0);
      await eventually('all of it', () => Promise.resolve(runtime.isLogOpen('full') ? undefined : true));
      t.true((runtime.droppedOutput('full')?.droppedBytes ?? 0) > 1_000_000);
      const lines = readFileSync(`${disk}/log`, 'utf8').split('\n');
      t.is(lines.pop(), '');
      t.true(lines.length > 4_000 && lines.length < 8_000, String(lines.length));
      t.is(lines.findIndex(line => !/^\S+ stdout [FP] \d*$/.test(line)), -1);
    } finally {
      await runtime.remove('full');
      execFileSync('umount', [disk]);
    }
  });

  /** As an agent that knew no log pipe: its conmon writes the log itself. */
  test.serial('needs root: the log of a container of an earlier agent stays readable and is moved aside', async t => {
    const bundle = sandbox.bundleOf('old');
    const conmonPath = `${sandbox.directory}/old-conmon`;
    writeFileSync(conmonPath, `#!/bin/sh\nfor word; do shift; case $word in k8s-file:*) word=k8s-file:${bundle}/log ;; esac; set -- "$@" "$word"; done\nexec /usr/bin/conmon "$@" --log-size-max 268435456 4<&-\n`, { mode: 0o755 });
    const config = sandbox.requestOf('old', { stdin: true, command: ['sh', '-c', 'head -c 100000 /dev/zero | tr "\\0" x; echo; cat'] });
    const earlier = new ConmonRuntime({ ...sandbox.options, conmonPath });
    await earlier.create(config, NEVER);
    const records = new ContainerRecords(stateDir);
    const { hasLogPipe: _, ...record } = records.read('old') ?? {};
    records.write('old', record as ContainerRecord);
    await eventually('its pipe gone', () => { rmSync(records.logPipeOf('old'), { force: true }); return Promise.resolve(runtime.isLogOpen('old') ? undefined : true); });
    await runtime.start('old');
    await eventually('the line', async () => (await textOf('old', { follow: false }, RUNNING)).length === 100_001 || undefined);
    renameSync(`${bundle}/log`, `${bundle}/log.1`);
    await runtime.rotateLogs(4096);
    await eventually('a new log', () => Promise.resolve(existsSync(`${bundle}/log`) || undefined));
    t.is((await textOf('old', { follow: false, tail: 1 }, RUNNING)).length, 100_001, 'told to open it anew, after a crash between the two');
    await runtime.remove('old');
  });
}
