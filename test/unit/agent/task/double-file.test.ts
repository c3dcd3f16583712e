import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { DoubleFile } from '../../../../agent/task/double-file-fs.ts';

function makePath(t: ExecutionContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'gantry-double-'));
  t.teardown(() => { rmSync(directory, { recursive: true }); });
  return path.join(directory, 'value');
}

test('nothing was written yet', async t => {
  t.is(await new DoubleFile(makePath(t)).read(), undefined);
});

test('the newest value is read, by the writer and by the next process, whatever their lengths', async t => {
  const at = makePath(t);
  const file = new DoubleFile(at);
  for (const value of ['first', 'a much longer second', 'x', 'y'.repeat(200_000), 'last, with \u00e9']) {
    await file.write(value);
    t.is(await new DoubleFile(at).read(), value);
  }
  const next = new DoubleFile(at);
  await next.write('of the next process');
  t.is(await new DoubleFile(at).read(), 'of the next process');
});

for (const [what, harm] of [
  ['half written', (file: string) => { truncateSync(file, 90); }],
  ['one byte another', (file: string) => { const bytes = readFileSync(file); bytes[100] = (bytes[100] ?? 0) ^ 1; writeFileSync(file, bytes); }],
  ['empty', (file: string) => { writeFileSync(file, ''); }],
] as const) {
  test(`the newest is ${what}: the one before counts, and is not written over next`, async t => {
    const at = makePath(t);
    const file = new DoubleFile(at);
    await file.write('before, of more than a few bytes');
    await file.write('newest, of more than a few bytes');
    harm(`${at}.b`);
    const next = new DoubleFile(at);
    t.is(await next.read(), 'before, of more than a few bytes');
    await next.write('after');
    t.regex(readFileSync(`${at}.a`, 'utf8'), /before/);
    t.is(await new DoubleFile(at).read(), 'after');
  });
}

const contentOf = (file: string): Buffer => (existsSync(file) ? readFileSync(file) : Buffer.alloc(0));

/** A disk writes one of these whole or not at all. */
const SECTOR_BYTES = 512;

/** What a crash may leave of a file that was `before` and is being made `after`: some of the new sectors, none, all; the new length already, or not yet. */
function torn(before: Buffer, after: Buffer): readonly Buffer[] {
  const counts = Array.from({ length: Math.ceil(after.length / SECTOR_BYTES) + 1 }, (_, count) => count);
  return counts.flatMap(count => {
    const [first, last] = [count * SECTOR_BYTES, Math.max(0, after.length - count * SECTOR_BYTES)];
    const longer = Buffer.concat([before, Buffer.alloc(Math.max(0, after.length - before.length))]);
    return [
      Buffer.concat([after.subarray(0, first), before.subarray(first)]),
      Buffer.concat([after.subarray(0, first), longer.subarray(first)]),
      Buffer.concat([longer.subarray(0, last), after.subarray(last), longer.subarray(after.length)]),
    ];
  });
}

const VALUES = ['first', 'a'.repeat(3_000), '', 'z'.repeat(5_000), 'y'.repeat(9_000), 'last, with \u00e9'];

test('a crash after each step of each write leaves the value before or the new one, which is read again and written over', async t => {
  const at = makePath(t);
  const halves = [`${at}.a`, `${at}.b`];
  const file = new DoubleFile(at);
  let old: string | undefined;
  for (const value of VALUES) {
    const before = halves.map(contentOf);
    await file.write(value);
    const after = halves.map(contentOf);
    const changed = after.findIndex((half, index) => !half.equals(before[index] ?? Buffer.alloc(0)));
    const seen = new Set<string | undefined>();
    for (const half of torn(before[changed] ?? Buffer.alloc(0), after[changed] ?? Buffer.alloc(0))) {
      writeFileSync(halves[changed] ?? '', half);
      const next = new DoubleFile(at);
      const read = await next.read();
      seen.add(read);
      t.true(read === old || read === value, `${String(read).slice(0, 20)} when ${String(old).slice(0, 20)} became ${value.slice(0, 20)}`);
    }
    t.deepEqual(seen, new Set([old, value]));
    writeFileSync(halves[changed] ?? '', before[changed] ?? Buffer.alloc(0));
    const survivor = new DoubleFile(at);
    await survivor.write(value);
    t.is(await new DoubleFile(at).read(), value);
    halves.forEach((half, index) => { writeFileSync(half, after[index] ?? Buffer.alloc(0)); });
    old = value;
  }
});
