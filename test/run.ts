/**
 * Everything CI runs, stage by stage, ending with the line `N passed, N failed`.
 *
 *   node test/run.ts [check|unit|integration|e2e]...     default: all
 *
 * A check (lint, types, ...) counts as one test. A skipped test counts as failed unless its reason is in MAY_LACK: what a machine may lack.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { MAY_LACK } from './support/may-lack.ts';

const ROOT = path.resolve(import.meta.dirname, '..');
/** First on PATH: the Node.js that Gantry ships with, not the machine's. */
const BIN = path.join(ROOT, 'node_modules/.bin');

interface Tally { passed: number; failed: number }

interface Stage {
  readonly name: string;
  readonly command: readonly string[];
  /** TAP output is counted line by line; any other command is one test. */
  readonly isTap: boolean;
}

const check = (name: string, ...command: string[]): Stage => ({ name, command, isTap: false });
const ava = (name: string, concurrency: number, ...globs: string[]): Stage =>
  ({ name, command: ['ava', '--tap', `--concurrency=${String(concurrency)}`, ...globs], isTap: true });

/** Stages of a group run one after another; the tests of one stage run in parallel files. */
const GROUPS: Readonly<Record<string, readonly Stage[]>> = {
  check: [
    check('types', 'tsc'),
    check('lint', 'eslint', '--config', 'test/architecture/eslint.config.js', '--max-warnings', '0', '.'),
    check('import rules', 'depcruise', '--config', 'test/architecture/imports.cjs', 'proto', 'controller', 'agent', 'cli', 'test'),
    check('contract lint', 'buf', 'lint', 'proto'),
    check('contract is compatible', 'buf', 'breaking', 'proto', '--against', 'proto/wire-image.binpb'),
    check('generated code is fresh', 'node', 'test/architecture/gen-is-fresh.ts'),
  ],
  unit: [ava('unit', 2, 'test/unit/**/*.test.ts', 'test/architecture/*.test.ts'), ava('contract and simulation', 2, 'test/contract/**/*.test.ts', 'test/sim/**/*.test.ts')],
  integration: [ava('integration', 2, 'test/integration/**/*.test.ts')],
  e2e: [ava('e2e', 1, 'test/e2e/**/*.test.ts')],
};

/** Runs a stage and counts; prints what failed, whole. */
async function runStage(stage: Stage): Promise<Tally> {
  const [program = '', ...args] = stage.command;
  const local = path.join(BIN, program);
  const child = spawn(existsSync(local) ? local : program, args, {
    cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, CI: '1', FORCE_COLOR: '0', PATH: `${BIN}:${process.env['PATH'] ?? ''}` },
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => { output += text; });
  child.stderr.setEncoding('utf8').on('data', (text: string) => { output += text; });
  const exitCode = await new Promise<number>(resolve => { child.on('close', code => { resolve(code ?? 1); }); });
  if (!stage.isTap) {
    if (exitCode !== 0) console.log(output);
    return exitCode === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
  }
  return countTap(output, exitCode);
}

function countTap(output: string, exitCode: number): Tally {
  const tally = { passed: 0, failed: 0 };
  let isFailing = false;
  for (const line of output.split('\n')) {
    if (/^(?:not )?ok /.test(line)) {
      const isBad = line.startsWith('not ok') || (line.includes('# SKIP') && !MAY_LACK.some(reason => line.includes(reason)));
      tally[isBad ? 'failed' : 'passed'] += 1;
      isFailing = isBad;
      if (isBad) console.log(line);
    } else if (isFailing && /^\s/.test(line)) {
      console.log(line);
    }
  }
  if (exitCode !== 0 && tally.failed === 0) {
    console.log(output.slice(-20_000));
    tally.failed += 1;
  }
  return tally;
}

const total: Tally = { passed: 0, failed: 0 };
const wanted = process.argv.slice(2);
for (const [group, stages] of Object.entries(GROUPS)) {
  if (wanted.length > 0 && !wanted.includes(group)) continue;
  for (const stage of stages) {
    const startedAt = performance.now();
    const tally = await runStage(stage);
    total.passed += tally.passed;
    total.failed += tally.failed;
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    console.log(`${stage.name}: ${String(tally.passed)} passed, ${String(tally.failed)} failed (${seconds} s)`);
  }
}
console.log(`${String(total.passed)} passed, ${String(total.failed)} failed`);
process.exitCode = total.failed === 0 ? 0 : 1;
