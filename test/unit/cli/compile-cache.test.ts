import test from 'ava';
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { compileCacheDir } from '../../../cli/compile-cache-fs.ts';

function home(t: { teardown(work: () => void): void }): { readonly home: string; readonly program: string } {
  const directory = mkdtempSync(path.join(tmpdir(), 'gantry-cache-'));
  t.teardown(() => { rmSync(directory, { recursive: true }); });
  const program = path.join(directory, 'clusterctl.mjs');
  writeFileSync(program, '');
  return { home: directory, program };
}

test('each build of a program has a directory, which only its user can open', t => {
  const { home: HOME, program } = home(t);
  const first = compileCacheDir(new Map([['HOME', HOME]]), program) ?? '';
  t.true(first.startsWith(path.join(HOME, '.cache/gantry/clusterctl/')));
  t.is(lstatSync(first).mode & 0o777, 0o700);
  t.is(compileCacheDir(new Map([['HOME', HOME]]), program), first);
  utimesSync(program, 1, 1);
  t.not(compileCacheDir(new Map([['HOME', HOME]]), program), first);
  t.true(compileCacheDir(new Map([['HOME', HOME], ['XDG_CACHE_HOME', path.join(HOME, 'xdg')]]), program)?.startsWith(path.join(HOME, 'xdg/gantry/')));
});

test('the directories of four builds are kept', t => {
  const { home: HOME, program } = home(t);
  for (let build = 1; build <= 6; build += 1) {
    utimesSync(program, build, build);
    const dir = compileCacheDir(new Map([['HOME', HOME]]), program) ?? '';
    t.true(existsSync(dir));
  }
  t.is(readdirSync(path.join(HOME, '.cache/gantry/clusterctl')).length, 4);
});

test('a directory that others can write to, or that is reached through one, is not used', t => {
  const { home: HOME, program } = home(t);
  const environment = new Map([['HOME', HOME]]);
  const own = path.join(HOME, '.cache/gantry');
  mkdirSync(own, { recursive: true });
  chmodSync(own, 0o777);
  t.is(compileCacheDir(environment, program), undefined);
  chmodSync(own, 0o755);
  t.not(compileCacheDir(environment, program), undefined);
  const shared = path.join(HOME, 'shared');
  mkdirSync(path.join(shared, 'cache'), { recursive: true });
  chmodSync(shared, 0o777);
  symlinkSync(path.join(shared, 'cache'), path.join(HOME, 'link'));
  t.is(compileCacheDir(new Map([['HOME', HOME], ['XDG_CACHE_HOME', path.join(HOME, 'link')]]), program), undefined);
});

test('root uses no directory of another user', t => {
  if (process.geteuid?.() !== 0) {
    t.pass('needs root');
    return;
  }
  const { home: HOME, program } = home(t);
  chownSync(HOME, 1_000, 1_000);
  t.is(compileCacheDir(new Map([['HOME', HOME]]), program), undefined);
});

test('without a home, and where nothing can be written, there is none', t => {
  const { program } = home(t);
  t.is(compileCacheDir(new Map(), program), undefined);
  t.is(compileCacheDir(new Map([['HOME', program]]), program), undefined);
  t.is(compileCacheDir(new Map([['XDG_CACHE_HOME', 'relative']]), program), undefined);
});
