import { mkdtempSync, rmSync } from 'node:fs';
import test from 'ava';
import { debianImage } from '../../../support/debian-image.ts';
import { openUnpackBench } from '../../../support/unpack-bench.ts';

/** Far fewer would be no Debian. */
const LEAST_PATHS = 3_000;

test('umoci makes the same of Debian\'s base system and of changes to it, but for device nodes (needs root, umoci, debootstrap, a mirror)', async t => {
  t.timeout(15 * 60_000);
  const directory = mkdtempSync('/var/tmp/gantry-debian-');
  try {
    await using bench = await openUnpackBench();
    t.true(await bench.compare(t, debianImage(directory)) > LEAST_PATHS);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
