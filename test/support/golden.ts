/** Golden files: expected text in its own syntax, under test/golden. `UPDATE_GOLDEN=1` writes what the code gives now. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ExecutionContext } from 'ava';

const GOLDEN_DIR = path.join(import.meta.dirname, '../golden');

/** Compares line by line, so that a failure shows the lines that differ. */
export function golden(t: ExecutionContext, name: string, text: string): void {
  const file = path.join(GOLDEN_DIR, name);
  if (process.env['UPDATE_GOLDEN'] === '1') {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  if (!existsSync(file)) {
    t.fail(`golden file ${name} is not there: UPDATE_GOLDEN=1 writes it`);
    return;
  }
  t.deepEqual(text.split('\n'), readFileSync(file, 'utf8').split('\n'));
}
