import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { ImageRecords } from '../../../../agent/image/image-record-fs.ts';

test('records that cannot be listed are not taken for none, for which every layer would go; before the first pull there is none', async t => {
  const directory = mkdtempSync(path.join(tmpdir(), 'gantry-image-records-'));
  t.teardown(() => { rmSync(directory, { recursive: true }); });
  t.deepEqual(await new ImageRecords(directory).list(), []);
  writeFileSync(path.join(directory, 'images'), '');
  await t.throwsAsync(new ImageRecords(directory).list(), { code: 'ENOTDIR' });
  rmSync(path.join(directory, 'images'));
  mkdirSync(path.join(directory, 'images'));
  t.deepEqual(await new ImageRecords(directory).list(), []);
});
