import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { realDirectory, removeTree } from '../../agent/state-tree-fs.ts';
import { run } from '../support/node-namespaces.ts';

const asRoot = process.getuid?.() === 0 ? test : test.skip;

asRoot('leave deletes through no mount, and keeps a mount point and the target of a link (root)', async t => {
  const base = mkdtempSync(path.join(tmpdir(), 'gantry-leave-'));
  const [foreign, state, link] = ['foreign', 'state', 'link'].map(name => path.join(base, name)) as [string, string, string];
  const mounted = path.join(state, 'volumes/data');
  mkdirSync(foreign);
  mkdirSync(mounted, { recursive: true });
  writeFileSync(path.join(foreign, 'precious'), 'x');
  writeFileSync(path.join(state, 'record'), 'x');
  symlinkSync(state, link);
  run('mount', '--bind', foreign, mounted);
  try {
    t.is(await realDirectory(link), state);
    await t.throwsAsync(removeTree(link), { code: 'FAILED_PRECONDITION', message: `${state} is kept: ${mounted} is mounted below it; unmount it and run leave again` });
    t.true(existsSync(path.join(state, 'record')), 'nothing is deleted');
  } finally {
    run('umount', mounted);
  }
  t.true(existsSync(path.join(foreign, 'precious')));
  await removeTree(link);
  t.deepEqual(readdirSync(state), [], 'the target of a link stays, empty');
  run('mount', '-t', 'tmpfs', 'state', state);
  writeFileSync(path.join(state, 'record'), 'x');
  await removeTree(state);
  t.deepEqual(readdirSync(state), [], 'so does a mount point');
  run('umount', state);
  await removeTree(state);
  t.false(existsSync(state));
  await removeTree(state);
  rmSync(base, { recursive: true });
});
