/**
 * Everything CI runs, stage by stage, ending with the line `N passed, N failed`.
 *
 *   node test/run.ts [check|unit|integration|e2e|faults]...     default: all but faults
 *
 * A check (lint, types, ...) counts as one test. A skipped test counts as failed unless its reason is in MAY_LACK
 * (what a machine may lack): then it counts as skipped, and never as passed.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { MAY_LACK } from './support/may-lack.ts';
import { requireNames, scriptOptions } from './support/script-options.ts';

const ROOT = path.resolve(import.meta.dirname, '..');
/** First on PATH: the Node.js that Gantry ships with, not the machine's. */
const BIN = path.join(ROOT, 'node_modules/.bin');

/** Characters of a check's output that are printed when it fails. */
const KEPT_OUTPUT = 20_000;

interface Tally { passed: number; failed: number; skipped: number }

/** What failed, a line each, told once more at the end. */
const failures: string[] = [];

interface Stage {
  readonly name: string;
  readonly command: readonly string[];
  /** Each test that ava reports is counted; any other command is one test. */
  readonly isAva: boolean;
  readonly environment?: Readonly<Record<string, string>>;
}

const check = (name: string, ...command: string[]): Stage => ({ name, command, isAva: false });
const ava = (name: string, concurrency: number, ...globs: string[]): Stage =>
  ({ name, command: ['ava', `--concurrency=${String(concurrency)}`, ...globs], isAva: true });

/** Stages of a group run one after another; the tests of one stage run in parallel files. */
const GROUPS: Readonly<Record<string, readonly Stage[]>> = {
  check: [
    check('types', 'tsc'),
    check('lint', 'eslint', '--config', 'test/architecture/eslint.config.js', '--max-warnings', '0', '.'),
    check('import rules', 'depcruise', '--config', 'test/architecture/imports.cjs', 'proto', 'controller', 'agent', 'cli', 'test'),
    check('nothing unused', 'knip', '--config', 'test/architecture/knip.json', '--no-progress', '--no-config-hints'),
    check('contract lint', 'buf', 'lint', 'proto'),
    check('contract is compatible', 'buf', 'breaking', 'proto', '--against', 'proto/wire-image.binpb'),
    check('generated code is fresh', 'node', 'test/architecture/gen-is-fresh.ts'),
  ],
  unit: [ava('unit', 2, 'test/unit/**/*.test.ts', 'test/architecture/*.test.ts'), ava('contract and simulation', 2, 'test/contract/**/*.test.ts', 'test/sim/**/*.test.ts')],
  integration: [ava('integration', 2, 'test/integration/**/*.test.ts')],
  e2e: [ava('e2e', 2, 'test/e2e/**/*.test.ts', '!test/e2e/faults/more/**')],
  /** Rows whose waits are long, the others with more rounds, and all mutants: before a release. */
  faults: [
    { ...ava('faults', 1, 'test/e2e/faults/**/*.test.ts'), environment: { ROUNDS: '100' } },
    check('all mutants are caught', 'node', 'test/mutants/run.ts'),
  ],
};

/** Runs a stage and counts; what fails is printed as it comes, whole. */
async function runStage(stage: Stage): Promise<Tally> {
  const [program = '', ...args] = stage.command;
  const local = path.join(BIN, program);
  const child = spawn(existsSync(local) ? local : program, args, {
    cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...stage.environment, CI: '1', FORCE_COLOR: '0', PATH: `${BIN}:${process.env['PATH'] ?? ''}` },
  });
  const counter = new TestCounter();
  let output = '';
  const read = async (stream: Readable, isCounted: boolean): Promise<void> => {
    for await (const line of createInterface(stream)) {
      output = `${output}${line}\n`.slice(-KEPT_OUTPUT);
      if (isCounted) counter.take(line);
    }
  };
  const ended = new Promise<number>(resolve => { child.on('close', code => { resolve(code ?? 1); }); });
  await Promise.all([read(child.stdout, stage.isAva), read(child.stderr, false)]);
  const exitCode = await ended;
  failures.push(...counter.failures);
  if (stage.isAva && (exitCode === 0 || counter.tally.failed > 0)) {
    return counter.tally;
  }
  // A check, or a runner that broke off.
  if (exitCode !== 0) {
    failures.push(`not ok - ${stage.name}`);
    console.log(output);
  }
  const [passed, failed] = exitCode === 0 ? [1, 0] : [0, 1];
  return { ...counter.tally, passed: counter.tally.passed + passed, failed: counter.tally.failed + failed };
}

/**
 * Counts what ava's default reporter says of each test, and prints all but what passed: also what was pending when no test ended any more, which
 * its TAP reporter breaks at. Source: ava 8, lib/reporters/default.js: `✔ TITLE`, `✘ [fail]: TITLE`, `- [skip] TITLE`, and why after `─`
 */
class TestCounter {
  readonly tally: Tally = { passed: 0, failed: 0, skipped: 0 };
  readonly failures: string[] = [];
  #isTold = true;
  /** What follows says why tests failed. */
  #isOver = false;

  take(line: string): void {
    const mark = this.#isOver ? null : /^ {2}(?:(?<ended>[✔✘])(?: \[\w+\])?:?|- \[(?<unrun>skip|todo)\]) /.exec(line);
    if (mark !== null) {
      this.#count(line, mark.groups?.['ended'] === '✘', mark.groups?.['unrun'] === 'skip');
    } else if (line.trim() === '─') {
      this.#isOver = true;
      this.#isTold = true;
    }
    if (this.#isTold && line !== '') {
      console.log(line);
    }
  }

  #count(line: string, hasFailed: boolean, isSkipped: boolean): void {
    const isFailed = hasFailed || (isSkipped && !MAY_LACK.some(reason => line.includes(reason)));
    this.tally[isFailed ? 'failed' : isSkipped ? 'skipped' : 'passed'] += 1;
    this.#isTold = isFailed || isSkipped;
    if (isFailed) this.failures.push(line.trim());
  }
}

const total: Tally = { passed: 0, failed: 0, skipped: 0 };
const USAGE = `usage: node test/run.ts [${Object.keys(GROUPS).join('|')}]...      default: all but faults`;
const wanted = scriptOptions(USAGE, {}, ({ positionals }) => requireNames('group of tests', positionals, Object.keys(GROUPS)));
for (const [group, stages] of Object.entries(GROUPS)) {
  if (wanted.length > 0 ? !wanted.includes(group) : group === 'faults') continue;
  for (const stage of stages) {
    const startedAt = performance.now();
    const tally = await runStage(stage);
    total.passed += tally.passed;
    total.failed += tally.failed;
    total.skipped += tally.skipped;
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    console.log(`${stage.name}: ${String(tally.passed)} passed, ${String(tally.failed)} failed (${seconds} s)`);
  }
}
failures.forEach(line => { console.log(line); });
if (total.skipped > 0) console.log(`${String(total.skipped)} skipped: this machine lacks what they need`);
console.log(`${String(total.passed)} passed, ${String(total.failed)} failed`);
process.exitCode = total.failed === 0 ? 0 : 1;
