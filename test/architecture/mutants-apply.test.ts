import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';

const ROOT = path.resolve(import.meta.dirname, '../..');

interface Hunk {
  readonly file: string;
  /** What the patch expects there, context and removed lines. */
  readonly before: string;
}

function hunksOf(patch: string): readonly Hunk[] {
  const [, ...files] = readFileSync(patch, 'utf8').split(/^--- a\//m);
  return files.flatMap(part => {
    const [file = '', ...lines] = part.split('\n');
    const [, ...hunks] = lines.join('\n').split(/^@@ .*\n/m);
    return hunks.map(hunk => ({ file, before: hunk.split('\n').filter(line => /^[ -]/.test(line)).map(line => line.slice(1)).join('\n') }));
  });
}

for (const patch of globSync('test/mutants/*.patch', { cwd: ROOT }).sort()) {
  test(`${path.basename(patch)} still says what stands in the code`, t => {
    const hunks = hunksOf(path.join(ROOT, patch));
    t.not(hunks.length, 0);
    t.deepEqual(hunks.filter(({ file, before }) => !readFileSync(path.join(ROOT, file), 'utf8').includes(before)), []);
  });
}
