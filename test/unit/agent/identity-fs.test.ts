import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { forgetIdentity, writeIdentity } from '../../../agent/identity-fs.ts';
import { readJoined, writeJoined } from '../../../agent/joined-fs.ts';

const IDENTITY = { caPem: 'ca', certificatePem: 'certificate', keyPem: 'key' };

function directory(): string {
  return mkdtempSync(path.join(tmpdir(), 'gantry-identity-'));
}

test('a node that leaves keeps no key, and no directory', async t => {
  const place = directory();
  ['ca.pem', 'certificate.pem', 'key.pem'].forEach(file => { writeFileSync(path.join(place, file), ''); });
  await writeIdentity(place, IDENTITY);
  await writeIdentity(place, IDENTITY);
  await writeJoined(place, { controllers: ['a:1'], joinAddress: 'a:2' });
  t.deepEqual(await readJoined(place), { controllers: ['a:1'], joinAddress: 'a:2' });
  await forgetIdentity(place);
  t.false(existsSync(place));
  t.is(await readJoined(place), undefined);
});

test('what a controller on the same machine needs stays', async t => {
  const place = directory();
  ['ca.pem', 'ca-key.pem', 'secrets.key', 'certificate.pem', 'key.pem'].forEach(file => { writeFileSync(path.join(place, file), ''); });
  await writeIdentity(place, IDENTITY);
  await forgetIdentity(place);
  t.deepEqual(readdirSync(place).sort(), ['ca-key.pem', 'ca.pem', 'secrets.key']);
  rmSync(place, { recursive: true });
});

test('forgetting twice is fine', async t => {
  const place = directory();
  await forgetIdentity(place);
  await t.notThrowsAsync(forgetIdentity(place));
  rmSync(place, { recursive: true, force: true });
});
