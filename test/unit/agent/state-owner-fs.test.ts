import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { claimState, requireOwnState } from '../../../agent/state-owner-fs.ts';

const owner = { node: 'n1', caSha256: 'ab'.repeat(32) };
const stranger = { node: 'n1', caSha256: 'cd'.repeat(32) };

test('a state directory is its first owner\'s: again his, nobody else\'s', async t => {
  const root = mkdtempSync(path.join(tmpdir(), 'gnso-'));
  t.teardown(() => { rmSync(root, { recursive: true, force: true }); });
  const directory = path.join(root, 'state');
  t.is(await requireOwnState(directory, owner), undefined);
  await claimState(directory, owner);
  await claimState(directory, owner);
  t.deepEqual(await requireOwnState(directory, owner), owner);
  for (const refused of [claimState(directory, stranger), requireOwnState(directory, stranger)]) {
    t.like(await t.throwsAsync(refused), { code: 'FAILED_PRECONDITION' });
  }
  t.true(readFileSync(path.join(directory, 'owner.json'), 'utf8').includes(owner.caSha256), 'a refusal changes nothing');
  writeFileSync(path.join(directory, 'owner.json'), '');
  await claimState(directory, stranger);
  t.deepEqual(await requireOwnState(directory, stranger), stranger, 'half a file says nothing');
});
