/** Golden files: expected text in its own syntax, under test/golden. `UPDATE_GOLDEN=1` writes what the code gives now. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ExecutionContext } from 'ava';

const GOLDEN_DIR = path.join(import.meta.dirname, '../golden');

/** Lines that a failure shows, from a few before the first that differs. */
const SHOWN_LINES = 12;
const LINES_BEFORE = 3;

/** Recorded from another program, with what writes it: what our code gives is never written there. */
const RECORDED: Readonly<Record<string, string>> = { terminal: 'test/e2e/terminal/record-docker.ts' };

/** Compares line by line; a failure shows where the first difference is. @throws Error on UPDATE_GOLDEN=1 for a recorded file */
export function golden(t: ExecutionContext, name: string, text: string): void {
  const file = path.join(GOLDEN_DIR, name);
  if (process.env['UPDATE_GOLDEN'] === '1') {
    const recorder = RECORDED[path.dirname(name)];
    if (recorder !== undefined) throw new Error(`golden file ${name} is recorded from another program by ${recorder}: run that instead of UPDATE_GOLDEN=1`);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  if (!existsSync(file)) {
    t.fail(`golden file ${name} is not there: UPDATE_GOLDEN=1 writes it`);
    return;
  }
  const [actual, expected] = [text.split('\n'), readFileSync(file, 'utf8').split('\n')];
  const differing = actual.findIndex((line, index) => line !== expected[index]);
  const from = Math.max(0, (differing < 0 ? actual.length : differing) - LINES_BEFORE);
  const shown = (lines: readonly string[]): readonly string[] => lines.slice(from, from + SHOWN_LINES);
  t.deepEqual(shown(actual), shown(expected), `${name} from line ${String(from + 1)}`);
}
