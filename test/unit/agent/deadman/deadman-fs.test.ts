import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { DeadmanFs } from '../../../../agent/deadman/deadman-fs.ts';
import { failureWith } from '../../../support/taken-descriptors.ts';

test('a deadman that looked within the last seconds is at work, also while its file is being written anew; one that has not is not', t => {
  const runDir = mkdtempSync(path.join(tmpdir(), 'gantry-deadman-'));
  t.teardown(() => { rmSync(runDir, { recursive: true }); });
  const deadman = new DeadmanFs(runDir, { taskPlace: () => ({ version: 2, directory: '/none' }) });
  const looked = (text: string): boolean => {
    writeFileSync(`${runDir}/deadman/alive`, text);
    return deadman.isAtWork();
  };
  t.false(deadman.isAtWork());
  t.false(looked(''));
  t.true(looked(`${String(deadman.uptimeMs())}\n`));
  t.true(looked(''));
  t.false(looked(`${String(deadman.uptimeMs() - 9_000)}\n`));
  t.false(looked(''));
});

test('F11: without a free descriptor the time of a beat is known, and never a later one', async t => {
  const runDir = mkdtempSync(path.join(tmpdir(), 'gantry-deadman-'));
  t.teardown(() => { rmSync(runDir, { recursive: true }); });
  const deadman = new DeadmanFs(runDir, { taskPlace: () => ({ version: 2, directory: '/none' }) });
  const beforeMs = deadman.uptimeMs();
  let meanwhileMs = 0;
  t.is(await failureWith(0, () => { meanwhileMs = deadman.uptimeMs(); }), undefined);
  t.true(meanwhileMs > beforeMs - 1_000 && meanwhileMs <= deadman.uptimeMs());
});
