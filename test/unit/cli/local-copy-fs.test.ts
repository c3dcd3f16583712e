import { lstatSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { receiveInto } from '../../../cli/local-copy-fs.ts';

const GIB = 2 ** 30;

function directoryOf(t: ExecutionContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'gantry-receive-'));
  t.teardown(() => { rmSync(directory, { recursive: true }); });
  return directory;
}

test('a received file keeps its holes', async t => {
  const directory = directoryOf(t);
  await receiveInto({ directory, name: 'image' }, async staging => {
    writeFileSync(path.join(staging, 'disk'), 'head');
    truncateSync(path.join(staging, 'disk'), 2 * GIB);
    return Promise.resolve();
  });
  const { size, blocks } = lstatSync(path.join(directory, 'image'));
  t.is(size, 2 * GIB);
  t.true(blocks * 512 < 1024 * 1024, `${String(blocks)} blocks`);
  t.deepEqual(readdirSync(directory), ['image']);
});

test('a received directory is merged: files are replaced, others stay, a link is never written through', async t => {
  const directory = directoryOf(t);
  mkdirSync(path.join(directory, 'site/sub'), { recursive: true });
  writeFileSync(path.join(directory, 'site/kept'), 'kept');
  writeFileSync(path.join(directory, 'site/sub/page'), 'old');
  writeFileSync(path.join(directory, 'outside'), 'outside');
  symlinkSync('../outside', path.join(directory, 'site/link'));
  await receiveInto({ directory, name: 'site' }, async staging => {
    mkdirSync(path.join(staging, 'top/sub'), { recursive: true });
    mkdirSync(path.join(staging, 'top/fresh'));
    writeFileSync(path.join(staging, 'top/sub/page'), 'new');
    writeFileSync(path.join(staging, 'top/link'), 'no link');
    symlinkSync('nowhere', path.join(staging, 'top/fresh/dangling'));
    return Promise.resolve();
  });
  const read = (name: string): string => readFileSync(path.join(directory, name), 'utf8');
  t.deepEqual(['site/kept', 'site/sub/page', 'site/link', 'outside'].map(read), ['kept', 'new', 'no link', 'outside']);
  t.is(readlinkSync(path.join(directory, 'site/fresh/dangling')), 'nowhere');
});

test('a file over a directory and a directory over a file are refused by name, and no staging directory stays', async t => {
  const directory = directoryOf(t);
  mkdirSync(path.join(directory, 'd'));
  writeFileSync(path.join(directory, 'f'), '');
  const received = (name: string, makes: (at: string) => void): Promise<void> =>
    receiveInto({ directory, name }, async staging => { makes(path.join(staging, 'top')); return Promise.resolve(); });
  await t.throwsAsync(received('d', at => { writeFileSync(at, ''); }), { code: 'FAILED_PRECONDITION', message: /d' is a directory, but the copy has a file there; remove it first$/ });
  await t.throwsAsync(received('f', at => { mkdirSync(at); }), { code: 'FAILED_PRECONDITION', message: /f' is not a directory, but the copy has one there; remove it first$/ });
  t.deepEqual(readdirSync(directory), ['d', 'f']);
});
