import { mkdtempSync, readdirSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { readLog } from '../../../../agent/logs/log-fs.ts';
import { LogFiles } from '../../../../agent/logs/log-files-fs.ts';
import { LOG_FILES, LOG_FILE_BYTES } from '../../../../agent/logs/log-rotation.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

const NEVER = new AbortController().signal;

interface Site {
  readonly log: string;
  readonly clock: FakeClock;
  /** As the log writer does; how many bytes it took. */
  readonly write: (text: string) => number;
  /** The log's files that this process has open, the writer's own left out. */
  readonly heldFiles: () => number;
}

function makeSite(t: ExecutionContext): Site {
  const directory = mkdtempSync(path.join(tmpdir(), 'gantry-read-'));
  const log = `${directory}/log`;
  const files = new LogFiles(log, () => 0);
  files.prepare();
  t.teardown(() => {
    files.close();
    rmSync(directory, { recursive: true });
  });
  const heldFiles = (): number => readdirSync('/proc/self/fd').filter(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(log);
    } catch {
      return false; // the descriptor of this look
    }
  }).length - 1;
  return { log, clock: new FakeClock(), write: text => files.append(Buffer.from(text)), heldFiles };
}

function record(word: string, bytes = 0): string {
  return `2026-01-01T00:00:00.000000000+00:00 stdout F ${word.padEnd(bytes, '.')}\n`;
}

/** All files of the log but one chunk. */
function fill({ write }: Site, word: string): void {
  for (let bytes = 0; bytes < LOG_FILES * LOG_FILE_BYTES - 200_000; bytes += 60_000) write(record(word, 59_953));
}

async function firstWord(reader: AsyncGenerator<readonly { readonly bytes: Uint8Array }[]>): Promise<string> {
  const { value } = await reader.next() as { readonly value: readonly { readonly bytes: Uint8Array }[] };
  return Buffer.from(value[0]?.bytes ?? []).toString('latin1', 0, 5).trim();
}

/** Closes its files and its watch with the test. */
function follow(t: ExecutionContext, { log, clock }: Site): ReturnType<typeof readLog> {
  const reader = readLog(log, { follow: true }, { ended: NEVER, clock }, NEVER);
  t.teardown(async () => { await reader.return(undefined); });
  return reader;
}

/** More than one file's worth, until the writer is held back. */
function writeOn({ write }: Site, word: string, files: number): boolean {
  const text = record(word, 59_953);
  for (let bytes = 0; bytes < files * LOG_FILE_BYTES; bytes += 60_000) {
    if (write(text) < text.length) return false;
  }
  return true;
}

test('a reader holds the container back; one whose client takes nothing for 10 s does no more, and fails once its lines are deleted', async t => {
  const site = makeSite(t);
  fill(site, 'old');
  const reader = follow(t, site);
  t.is(await firstWord(reader), 'old..');
  t.is(site.heldFiles(), LOG_FILES);
  t.false(writeOn(site, 'new', 1));
  await site.clock.advance(9_000);
  t.false(writeOn(site, 'new', 1), 'it may still take');
  await site.clock.advance(1_000);
  for (let look = 0; look < 100 && site.heldFiles() > 0; look += 1) await new Promise(resolve => { setImmediate(resolve); });
  t.is(site.heldFiles(), 0, 'no file stays open for it');
  t.true(writeOn(site, 'new', 2));
  await t.throwsAsync(reader.next(), { code: 'RESOURCE_EXHAUSTED', message: 'logs: this reader took nothing for 10 s, and the lines that follow are deleted; read the log again' });
  t.is(site.heldFiles(), 0);
});

test('a reader that pauses where nothing is deleted goes on where it was, also in a file that was renamed', async t => {
  const site = makeSite(t);
  site.write(record('one'));
  const reader = follow(t, site);
  t.is(await firstWord(reader), 'one');
  await site.clock.advance(60_000);
  site.write(record('two'));
  renameSync(site.log, `${site.log}.1`);
  writeFileSync(site.log, record('three'));
  t.is(await firstWord(reader), 'two');
  t.is(await firstWord(reader), 'three');
});

test('without follow a reader ends with the files that there were, however fast the container writes', async t => {
  const site = makeSite(t);
  fill(site, 'old');
  const reader = readLog(site.log, { follow: false }, { ended: NEVER, clock: site.clock }, NEVER);
  let batches = 0;
  for await (const _ of reader) {
    batches += 1;
    for (let count = 0; count < 4; count += 1) site.write(record('new', 59_953));
    if (batches > 3_000) break;
  }
  t.true(batches < 1_500, String(batches));
  t.is(site.heldFiles(), 0);
});
