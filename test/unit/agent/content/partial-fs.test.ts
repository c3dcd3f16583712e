import { mkdtempSync, readFileSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { parseDigest } from '#model/digest.ts';
import type { Digest } from '#model/digest.ts';
import { PartialStore } from '../../../../agent/content/partial-fs.ts';

const DIGEST = parseDigest(`sha256:${'a'.repeat(64)}`);
const MAX_BYTES = 10 ** 7;
const PIECE = Buffer.alloc(100_000, 'piece ');

function temporary(t: { teardown(work: () => void): void }): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'gantry-partial-'));
  t.teardown(() => { rmSync(directory, { recursive: true }); });
  return directory;
}

async function replayed(store: PartialStore, maxBytes = MAX_BYTES): Promise<Buffer> {
  const partial = await store.open(DIGEST);
  if (partial === undefined) throw new Error('in use');
  const pieces: Uint8Array[] = [];
  for await (const piece of partial.replay(maxBytes)) pieces.push(piece);
  await partial.close();
  return Buffer.concat(pieces);
}

test('23: a pull throws away beginnings that nobody went on with for days, and none that is in use', async t => {
  const directory = temporary(t);
  const store = new PartialStore(directory);
  const [stale, used] = ['b', 'c'].map(letter => parseDigest(`sha256:${letter.repeat(64)}`)) as [Digest, Digest];
  await (await store.open(stale))?.close();
  const reading = await store.open(used);
  for (const digest of [stale, used]) utimesSync(path.join(directory, 'partials', digest.replace(':', '-')), 1, 1);
  await (await store.open(DIGEST))?.close();
  t.deepEqual(readdirSync(path.join(directory, 'partials')).sort(), [DIGEST, used].map(digest => digest.replace(':', '-')));
  await reading?.close();
});

test('what was appended is replayed in order, over several openings', async t => {
  const store = new PartialStore(temporary(t));
  for (const text of ['one ', 'two ', 'three']) {
    const partial = await store.open(DIGEST);
    await partial?.append(Buffer.from(text));
    await partial?.append(Buffer.alloc(0));
    await partial?.close();
  }
  t.is((await replayed(store)).toString(), 'one two three');
});

test('a process that dies loses less than 256 KiB of what was appended', async t => {
  const directory = temporary(t);
  const partial = await new PartialStore(directory).open(DIGEST);
  for (let count = 1; count <= 10; count += 1) {
    await partial?.append(PIECE);
    const [file = ''] = readdirSync(path.join(directory, 'partials'));
    const written = readFileSync(path.join(directory, 'partials', file));
    t.true(count * PIECE.length - written.length < 256 * 1024);
    t.true(written.equals(Buffer.concat(Array.from({ length: count }, () => PIECE)).subarray(0, written.length)));
  }
  await partial?.close();
  t.is((await replayed(new PartialStore(directory))).length, 10 * PIECE.length);
});

test('more than the blob can have is forgotten', async t => {
  const store = new PartialStore(temporary(t));
  const partial = await store.open(DIGEST);
  await partial?.append(PIECE);
  await partial?.close();
  t.is((await replayed(store, PIECE.length - 1)).length, 0);
  t.is((await replayed(store)).length, 0);
});

test('one at a time has it', async t => {
  const store = new PartialStore(temporary(t));
  const first = await store.open(DIGEST);
  t.is(await store.open(DIGEST), undefined);
  await first?.close();
  t.not(await store.open(DIGEST).then(async second => { await second?.close(); return second; }), undefined);
});
