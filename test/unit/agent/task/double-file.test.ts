import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
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
