import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { VolumeUserFs } from '../../../../agent/volume/volume-user-fs.ts';

test('the highest fence counts, whoever came last; it outlives the agent, and goes with the data', async t => {
  const directory = mkdtempSync(path.join(tmpdir(), 'gnvu-'));
  t.teardown(() => { rmSync(directory, { recursive: true, force: true }); });
  const users = new VolumeUserFs(path.join(directory, 'users'));
  t.is(await users.newest('prod/data'), undefined);
  await Promise.all([users.note('prod/data', 7), users.note('prod/data', 9), users.note('prod/data', 8), users.note('prod/data-0', 3)]);
  const next = new VolumeUserFs(path.join(directory, 'users'));
  t.deepEqual([await next.newest('prod/data'), await next.newest('prod/data-0')], [9, 3]);
  await next.forget('prod/data');
  await next.forget('prod/data');
  t.deepEqual([await next.newest('prod/data'), readdirSync(path.join(directory, 'users/prod'))], [undefined, ['data-0']]);
  writeFileSync(path.join(directory, 'users/prod/data-0'), 'x');
  t.is(await next.newest('prod/data-0'), undefined, 'what says nothing limits nothing');
});
