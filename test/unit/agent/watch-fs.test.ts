/** needs user namespaces: one in which no process may watch anything. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { watchDirectory } from '../../../agent/watch-fs.ts';

const MODULE = path.resolve(import.meta.dirname, '../../../agent/watch-fs.ts');

test('a change is called for by the name of its entry', async t => {
  const directory = mkdtempSync(path.join(tmpdir(), 'gantry-watch-'));
  t.teardown(() => { rmSync(directory, { recursive: true }); });
  const name = await new Promise(resolve => {
    const watching = watchDirectory(directory, changed => {
      watching.close();
      resolve(changed);
    });
    writeFileSync(path.join(directory, 'one'), '');
  });
  t.is(name, 'one');
});

for (const limit of ['max_inotify_instances', 'max_inotify_watches']) {
  test(`23: where others took all of ${limit} the agent runs without a watch`, t => {
    const script = `import(${JSON.stringify(MODULE)}).then(({ watchDirectory }) => { watchDirectory('/', () => {}).close(); console.log('goes on'); })`;
    const run = spawnSync('unshare', ['-Ur', 'sh', '-c', `echo 0 >/proc/sys/user/${limit}; exec "$@"`, 'sh', process.execPath, '-e', script], { encoding: 'utf8' });
    t.is(run.stdout, 'goes on\n', run.stderr);
  });
}
