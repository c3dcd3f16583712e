import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { parseProcessStat } from '#kit/process-stat-parse.ts';
import { withLock } from '../../../../cli/dev/lock-fs.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

const never = new AbortController().signal;

/** A place for a lock, with a clock whose sleeps count as looks at a lock that is held. */
function lockPlace(t: { readonly teardown: (work: () => void) => void }): { readonly file: string; readonly looks: () => number; readonly parts: { readonly clock: FakeClock; readonly signal: AbortSignal } } {
  const directory = mkdtempSync(path.join(tmpdir(), 'gantry-lock-'));
  t.teardown(() => { rmSync(directory, { recursive: true }); });
  let looks = 0;
  const clock = new FakeClock();
  clock.sleep = () => { looks += 1; return Promise.resolve(); };
  return { file: path.join(directory, 'lock'), looks: () => looks, parts: { clock, signal: never } };
}

function startOf(pid: number): number {
  return parseProcessStat(readFileSync(`/proc/${String(pid)}/stat`, 'utf8'))?.startTicks ?? 0;
}

test('the lock names its holder by pid and start time, and is gone afterwards, also when the work throws', async t => {
  const { file, parts } = lockPlace(t);
  t.is(await withLock(file, parts, () => Promise.resolve(readlinkSync(file))), `${String(process.pid)} ${String(startOf(process.pid))}`);
  t.throws(() => readlinkSync(file), { code: 'ENOENT' });
  await t.throwsAsync(withLock(file, parts, () => Promise.reject(new Error('no room'))), { message: 'no room' });
  t.throws(() => readlinkSync(file), { code: 'ENOENT' });
});

const takenOver = test.macro({
  async exec(t, text: string) {
    const { file, looks, parts } = lockPlace(t);
    symlinkSync(text, file);
    t.is(await withLock(file, parts, () => Promise.resolve(1)), 1);
    t.is(looks(), 1);
  },
  title: (name = '') => `taken over: a lock ${name}`,
});
test('whose pid is another process\'s by now', takenOver, `${String(process.pid)} ${String(startOf(process.pid) - 1)}`);
test('of no process', takenOver, `${String(2 ** 30)} 5`);
test('of an earlier version, which named a pid alone', takenOver, String(process.pid));
test('that is no such text', takenOver, 'half a lo');

test('a lock whose holder lives is waited for until it ends', async t => {
  const { file, parts } = lockPlace(t);
  const holder = spawn('sleep', ['60'], { stdio: 'ignore' });
  const ended = new Promise(resolve => holder.once('exit', resolve));
  const text = `${String(holder.pid)} ${String(startOf(holder.pid ?? 0))}`;
  symlinkSync(text, file);
  const seen: string[] = [];
  parts.clock.sleep = async () => {
    seen.push(linkText(file));
    if (seen.length === 3) {
      holder.kill('SIGKILL');
      await ended;
    }
  };
  t.is(await withLock(file, parts, () => Promise.resolve(1)), 1);
  t.deepEqual(seen, [text, text, text, ''], 'only the lock of a holder that ended is taken away');
});

function linkText(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}
