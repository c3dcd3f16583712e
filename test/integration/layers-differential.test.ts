import { chmodSync, lchownSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { run } from '../support/node-namespaces.ts';
import { oddImages } from '../support/odd-images.ts';
import { differences, pictureOf } from '../support/tree-picture.ts';
import { openUnpackBench } from '../support/unpack-bench.ts';
import type { UnpackBench } from '../support/unpack-bench.ts';

let bench: UnpackBench;
test.before(async () => { bench = await openUnpackBench(); });
test.after.always(async () => { await bench[Symbol.asyncDispose](); });

for (const odd of oddImages()) {
  test.serial(`${odd.unpacker} makes the same of: ${odd.name} (needs root, umoci)`, async t => { t.true(await bench.compare(t, odd) > 0); });
}

const CHANGES: Readonly<Record<string, (tree: string) => void>> = {
  contents: tree => { writeFileSync(path.join(tree, 'a'), 'B'); utimesSync(path.join(tree, 'a'), 1, 1); },
  size: tree => { truncateSync(path.join(tree, 'a'), 2); utimesSync(path.join(tree, 'a'), 1, 1); },
  mode: tree => { chmodSync(path.join(tree, 'a'), 0o4644); },
  owner: tree => { lchownSync(path.join(tree, 'l'), 1, 0); },
  time: tree => { utimesSync(path.join(tree, 'd'), 1, 1.001); },
  'a link\'s text': tree => { rmSync(path.join(tree, 'l')); symlinkSync('b', path.join(tree, 'l')); },
  kind: tree => { rmSync(path.join(tree, 'd'), { recursive: true }); writeFileSync(path.join(tree, 'd'), ''); },
  'a path less': tree => { rmSync(path.join(tree, 'a')); },
  'a path more': tree => { mkdirSync(path.join(tree, 'more')); },
  'a second name': tree => { rmSync(path.join(tree, 'h')); writeFileSync(path.join(tree, 'h'), 'A'); utimesSync(path.join(tree, 'h'), 1, 1); },
  'an attribute': tree => { run('python3', '-c', 'import os, sys; os.setxattr(sys.argv[1], "user.x", b"y")', path.join(tree, 'a')); utimesSync(path.join(tree, 'a'), 1, 1); },
};

for (const [what, change] of Object.entries(CHANGES)) {
  test(`the comparer sees ${what} (needs root)`, t => {
    const directory = mkdtempSync('/var/tmp/gantry-picture-');
    try {
      const tree = (name: string): string => {
        const at = path.join(directory, name);
        mkdirSync(path.join(at, 'd'), { recursive: true });
        writeFileSync(path.join(at, 'a'), 'A');
        linkSync(path.join(at, 'a'), path.join(at, 'h'));
        symlinkSync('a', path.join(at, 'l'));
        run('touch', '-h', '-d', '@1', path.join(at, 'a'), path.join(at, 'd'), path.join(at, 'l'), at);
        return at;
      };
      const [one, other] = [tree('one'), tree('other')];
      t.deepEqual(differences(pictureOf(one), pictureOf(other)), []);
      change(other);
      t.not(differences(pictureOf(one), pictureOf(other), path => path === '.').length, 0);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
}
