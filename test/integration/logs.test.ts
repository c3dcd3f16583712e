/** needs root: logs as conmon writes them: read, followed, rotated under load. */
import { existsSync, readdirSync, readlinkSync, renameSync, statSync } from 'node:fs';
import test from 'ava';
import { systemClock } from '#kit/clock.ts';
import { LOG_FILE_BYTES, LOG_FILES } from '../../agent/logs/log-bounds.ts';
import { listLogFiles } from '../../agent/logs/log-files-fs.ts';
import { readLog } from '../../agent/logs/log-fs.ts';
import type { LogQuery } from '../../agent/logs/log-fs.ts';
import type { LogRecord } from '../../agent/logs/log-line.ts';
import { ConmonRuntime } from '../../agent/runtime/conmon-process.ts';
import { eventually, makeSandbox } from '../support/container-sandbox.ts';
import { insidePrivateMounts } from '../support/private-mounts.ts';

const NEVER = new AbortController().signal;
const ENDED = AbortSignal.abort();
const FLOOD = 'echo first; usleep 300000; timeout 2 yes; true';

async function textOf(path: string, query: LogQuery, ended: AbortSignal = ENDED): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const records of readLog(path, query, { ended, clock: systemClock }, NEVER)) {
    parts.push(...records.map(record => record.bytes));
  }
  return Buffer.concat(parts).toString('utf8');
}

/** Of the log's files, one with two names once. */
function bytesOf(directory: string): number {
  const files = readdirSync(directory).filter(name => name === 'log' || name.startsWith('log.')).map(name => statSync(`${directory}/${name}`, { throwIfNoEntry: false }));
  return [...new Map(files.map(file => [file?.ino, file?.size ?? 0])).values()].reduce((sum, size) => sum + size, 0);
}

/** What this process holds open of files of the log that have no name any more. */
function deletedBytes(path: string): number {
  const held = readdirSync('/proc/self/fd').filter(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(path) && readlinkSync(`/proc/self/fd/${fd}`).endsWith(' (deleted)');
    } catch {
      return false; // closed meanwhile
    }
  });
  return held.reduce((sum, fd) => sum + statSync(`/proc/self/fd/${fd}`).size, 0);
}

if (insidePrivateMounts(import.meta.filename)) {
  const sandbox = makeSandbox('logs');
  const runtime = new ConmonRuntime(sandbox.options);
  test.after.always('nothing is left', async t => { t.deepEqual(await sandbox.tearDown(), []); });

  test.serial('needs root: UTF-8 and a last line without newline come as written', async t => {
    const { monitor } = await sandbox.run('plain', { command: ['sh', '-c', 'echo grüße; printf "end"'] });
    await eventually('conmon gone', async () => await runtime.isAlive(monitor) ? undefined : true);
    const path = `${sandbox.bundleOf('plain')}/log`;
    t.is(await textOf(path, { follow: false }), 'grüße\nend');
    t.is(await textOf(path, { follow: false, tail: 0 }), '');
    await runtime.remove('plain');
  });

  test.serial('needs root: a follower sees 200,000 lines in order, none lost, none twice, across rotations', async t => {
    const count = 200_000;
    const { monitor } = await sandbox.create('fast', { command: ['sh', '-c', `seq 1 ${String(count)}; exit 0`] });
    const path = `${sandbox.bundleOf('fast')}/log`;
    const ended = new AbortController();
    const followed = textOf(path, { follow: true }, ended.signal);
    await runtime.start('fast');
    let rotations = 0;
    const rotating = (async () => {
      while (!ended.signal.aborted) {
        await systemClock.sleep(await runtime.rotateLogs(), NEVER);
        rotations += 1;
      }
    })();
    await sandbox.endOf('fast');
    await eventually('conmon gone', async () => await runtime.isAlive(monitor) ? undefined : true);
    ended.abort();
    await rotating;
    const lines = (await followed).split('\n');
    t.is(lines.length, count + 1);
    t.is(lines.findIndex((line, index) => index < count && line !== String(index + 1)), -1);
    t.is((await textOf(path, { follow: false })).split('\n').length, count + 1, 'four files keep all of it');
    t.true(rotations > 0);
    t.true((await listLogFiles(path)).length > 1, 'it did rotate');
    t.is(await textOf(path, { follow: false, tail: 3 }), `${String(count - 2)}\n${String(count - 1)}\n${String(count)}\n`);
    await runtime.remove('fast');
  });

  /** The most bytes that the container's logs had at once, up to its end. */
  async function mostBytesOf(id: string, look: () => Promise<void>): Promise<number> {
    let most = 0;
    await eventually(`the end of ${id}`, async () => {
      await look();
      most = Math.max(most, bytesOf(sandbox.bundleOf(id)));
      return await runtime.readEnd(id);
    });
    return most;
  }

  test.serial('needs root: 23: however fast a container writes, its logs are 30 MiB at most, also without an agent; who reads what is left is told what is missing', async t => {
    await sandbox.run('alone', { command: ['sh', '-c', FLOOD] });
    const alone = await mostBytesOf('alone', () => Promise.resolve());
    t.true(alone > LOG_FILE_BYTES && alone <= LOG_FILES * LOG_FILE_BYTES, `${String(alone)} bytes without an agent`);
    await sandbox.run('flood', { command: ['sh', '-c', FLOOD] });
    const path = `${sandbox.bundleOf('flood')}/log`;
    const over = new AbortController();
    const follower = readLog(path, { follow: true }, { ended: NEVER, clock: systemClock }, over.signal);
    t.false((await follower.next()).done);
    const most = await mostBytesOf('flood', async () => { await runtime.rotateLogs(); });
    t.true(most > 2 * LOG_FILE_BYTES && most <= LOG_FILES * LOG_FILE_BYTES, `${String(most)} bytes with one`);
    t.true(deletedBytes(path) <= LOG_FILE_BYTES, 'a follower that stands still keeps one file');
    const textsOf = (records: readonly LogRecord[]): readonly string[] => records.map(record => Buffer.from(record.bytes).toString('utf8'));
    let isToldOfLoss = false;
    for await (const records of follower) {
      isToldOfLoss = textsOf(records).some(text => text.startsWith('[output is missing here'));
      if (isToldOfLoss) break; // ends the follower
    }
    t.true(isToldOfLoss);
    over.abort();
    t.is(deletedBytes(path), 0);
    for (const id of ['alone', 'flood']) await runtime.remove(id);
  });

  test.serial('needs root: a long line comes whole, a crash between rename and reopen heals', async t => {
    await sandbox.run('long', { stdin: true, command: ['sh', '-c', 'head -c 100000 /dev/zero | tr "\\0" x; echo; cat >/dev/null; echo after'] });
    const path = `${sandbox.bundleOf('long')}/log`;
    await eventually('the line', async () => (await textOf(path, { follow: false })).length === 100_001 || undefined);
    renameSync(path, `${path}.1`); // as an agent of an earlier version did before it asked for a new file
    await runtime.rotateLogs();
    await eventually('a new log', () => Promise.resolve(existsSync(path) || undefined));
    t.is((await textOf(path, { follow: false, tail: 1 })).length, 100_001);
    await runtime.remove('long');
  });
}
