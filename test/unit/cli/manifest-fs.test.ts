import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { readNamedFile } from '../../../cli/manifest-fs.ts';

const ROOT = path.resolve(import.meta.dirname, '../../..');

test('a file that a flag names: its bytes, or what is wrong with it in words', async t => {
  const directory = mkdtempSync(path.join(tmpdir(), 'gantry-file-'));
  t.teardown(() => { rmSync(directory, { recursive: true }); });
  writeFileSync(path.join(directory, 'value'), 'x');
  t.is(Buffer.from(await readNamedFile(path.join(directory, 'value'))).toString(), 'x');
  await t.throwsAsync(readNamedFile(path.join(directory, 'none')), { message: `${directory}/none does not exist; give the path of a file that can be read` });
  await t.throwsAsync(readNamedFile(directory), { message: `${directory} is a directory; give the path of a file that can be read` });
});

test('options that Node.js has too are the program\'s own behind its launcher', t => {
  const { status, stderr } = spawnSync(path.join(ROOT, 'deploy/bin/clusterctl'), ['version', '--env-file', '/none'], { encoding: 'utf8' });
  t.is(stderr, 'error: unknown option \'--env-file\'; see clusterctl version --help\n');
  t.is(status, 2);
});
