import { appendFileSync, closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { tryLock } from '../../../../agent/kernel/log-file-syscall.ts';
import { LogFiles } from '../../../../agent/logs/log-files-fs.ts';
import { LOG_FILE_BYTES, LOG_FILES } from '../../../../agent/logs/log-rotation.ts';

const CHUNK_BYTES = 65_536;

interface Site {
  readonly log: string;
  readonly files: LogFiles;
  readonly clock: { nowMs: number };
}

function makeSite(t: ExecutionContext): Site {
  const directory = mkdtempSync(path.join(tmpdir(), 'gantry-log-files-'));
  const clock = { nowMs: 0 };
  const log = `${directory}/log`;
  const files = new LogFiles(log, () => clock.nowMs);
  t.teardown(() => {
    files.close();
    rmSync(directory, { recursive: true });
  });
  return { log, files, clock };
}

function bytesOf(log: string): number {
  return readdirSync(path.dirname(log)).reduce((sum, name) => sum + statSync(path.join(path.dirname(log), name)).size, 0);
}

/** Numbered lines from `first`, as one long text of at least `bytes`. */
function lines(first: number, bytes: number): { readonly text: string; readonly next: number } {
  const parts: string[] = [];
  let [length, next] = [0, first];
  while (length < bytes) {
    const line = `${String(next).padStart(90, '0')}\n`;
    parts.push(line);
    length += line.length;
    next += 1;
  }
  return { text: parts.join(''), next };
}

/** In chunks that end anywhere; false as soon as one is held back. */
function write(files: LogFiles, text: string): boolean {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    const chunk = bytes.subarray(at, at + CHUNK_BYTES);
    if (files.append(chunk) !== chunk.length) return false;
  }
  return true;
}

test('however much is written, four files of at most 7.5 MiB are left: the newest lines, whole and in order', t => {
  const { log, files } = makeSite(t);
  const { text, next } = lines(0, 1.5 * LOG_FILES * LOG_FILE_BYTES);
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    files.append(bytes.subarray(at, at + CHUNK_BYTES));
    if (at % (10 * CHUNK_BYTES) === 0) t.true(bytesOf(log) <= LOG_FILES * LOG_FILE_BYTES);
  }
  const names = [3, 2, 1].map(index => `${log}.${String(index)}`);
  for (const name of [...names, log]) t.true(statSync(name).size <= LOG_FILE_BYTES);
  for (const name of names) t.true(readFileSync(name, 'utf8').endsWith('\n'), name);
  const kept = [...names, log].map(name => readFileSync(name, 'utf8')).join('');
  t.true(text.endsWith(kept));
  t.true(kept.length > (LOG_FILES - 1) * (LOG_FILE_BYTES - 20_000));
  t.true(kept.endsWith(`${String(next - 1)}\n`));
  t.deepEqual(files.takeDropped(), { lines: 0, bytes: 0 });
});

test('a file that an earlier writer left within a record is continued', t => {
  const { log, files } = makeSite(t);
  files.append(Buffer.from('one\ntw'));
  files.close();
  const next = new LogFiles(log, () => 0);
  next.append(Buffer.from('o\nthree\n'));
  next.close();
  t.is(readFileSync(log, 'utf8'), 'one\ntwo\nthree\n');
});

test('a full file of an earlier writer, also a larger one, is rotated before anything is written', t => {
  const { log, files } = makeSite(t);
  appendFileSync(log, Buffer.alloc(LOG_FILE_BYTES + 10, 'x'));
  files.append(Buffer.from('one\n'));
  t.is(readFileSync(log, 'utf8'), 'one\n');
  t.is(statSync(`${log}.1`).size, LOG_FILE_BYTES + 10);
});

test('a reader that holds the oldest file holds the writer back until it lets go', t => {
  const { log, files, clock } = makeSite(t);
  const { text } = lines(0, LOG_FILES * LOG_FILE_BYTES - 100_000);
  t.true(write(files, text));
  const reader = openSync(`${log}.3`, 'r');
  t.true(tryLock(reader, 'shared'));
  t.false(write(files, lines(0, 200_000).text));
  const held = bytesOf(log);
  clock.nowMs = 14_000;
  t.is(files.append(Buffer.from('more\n')), 0);
  t.is(bytesOf(log), held);
  closeSync(reader);
  t.is(files.append(Buffer.from('more\n')), 5);
  t.is(readFileSync(log, 'utf8'), 'more\n');
});

test('a reader that is frozen holds the writer back for 15 s, and so again for the next file', t => {
  const { log, files, clock } = makeSite(t);
  t.true(write(files, lines(0, LOG_FILES * LOG_FILE_BYTES - 100_000).text));
  const readers = [3, 2].map(index => openSync(`${log}.${String(index)}`, 'r'));
  for (const reader of readers) t.true(tryLock(reader, 'shared'));
  t.false(write(files, lines(0, 200_000).text));
  clock.nowMs = 15_000;
  t.is(files.append(Buffer.from('more\n')), 5);
  t.false(write(files, lines(0, LOG_FILE_BYTES).text));
  files.waitNoLonger();
  t.is(files.append(Buffer.from('last\n')), 5);
  readers.forEach(reader => { closeSync(reader); });
});

test('a log that cannot be opened loses whole lines, and their count is known', t => {
  const { log, files } = makeSite(t);
  mkdirSync(log);
  files.prepare();
  t.is(files.append(Buffer.from('one\ntwo\nthr')), 11);
  rmSync(log, { recursive: true });
  t.is(files.append(Buffer.from('ee\nfour\nfi')), 10);
  files.append(Buffer.from('ve\n'));
  t.is(readFileSync(log, 'utf8'), 'four\nfive\n');
  t.deepEqual(files.takeDropped(), { lines: 3, bytes: 14 });
  t.deepEqual(files.takeDropped(), { lines: 0, bytes: 0 });
});

test('on a full disk lines are dropped until it has room again', t => {
  const { log, files } = makeSite(t);
  symlinkSync('/dev/full', log);
  files.append(Buffer.from('one\ntwo\n'));
  rmSync(log);
  files.append(Buffer.from('three\n'));
  t.is(readFileSync(log, 'utf8'), 'three\n');
  t.deepEqual(files.takeDropped(), { lines: 2, bytes: 8 });
});

test('a file that cannot be rotated does not grow: what follows is dropped', t => {
  const { log, files } = makeSite(t);
  mkdirSync(`${log}.3`);
  t.true(write(files, lines(0, 2 * LOG_FILE_BYTES).text));
  t.true(statSync(log).size <= LOG_FILE_BYTES);
  t.true(files.takeDropped().lines > 10_000);
});
