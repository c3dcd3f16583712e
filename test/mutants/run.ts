/**
 * Proves that the tests are awake: each patch of this folder takes one safety away, and the tests named in its first line must fail by an assertion;
 * where it says `simulation FROM-TO`, one of these seeds must break an invariant.
 *
 *   npm run mutants -- [NAME]...
 *
 * Works in a copy of the checkout (git worktree), so that the tree itself stays as it is. Exits 1 when a mutant survives, does not apply any
 * more, or fails for another reason than an assertion.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { requireNames, scriptOptions } from '../support/script-options.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
/** A violation as the simulation tells it. */
const INVARIANT = /at \d+ ms: I\d+: .{0,120}/;
/** What ava prints of a failed `t.is`, `t.deepEqual`, ... in TAP. */
const ASSERTION = /^\s+name: AssertionError|assertion: /m;

function testsOf(patch: string, tree: string): readonly string[] {
  const [first = ''] = readFileSync(patch, 'utf8').split('\n');
  const patterns = /^Caught by: (.+)$/.exec(first)?.[1]?.split(' ') ?? [];
  const files = patterns.flatMap(pattern => globSync(pattern, { cwd: tree }));
  if (files.length === 0) {
    throw new Error(`${path.basename(patch)}: its first line must be "Caught by: TEST_FILE..."`);
  }
  return files;
}

/** Seeds of the simulation that must find it by an invariant; undefined where its first line names tests. */
function seedsOf(patch: string): { readonly from: number; readonly seeds: number } | undefined {
  const [, first, last] = /^Caught by: simulation (\d+)-(\d+)\n/.exec(readFileSync(patch, 'utf8')) ?? [];
  return first === undefined ? undefined : { from: Number(first), seeds: Number(last) - Number(first) + 1 };
}

function judgeBySimulation({ from, seeds }: { readonly from: number; readonly seeds: number }, tree: string): string | undefined {
  const run = spawnSync(process.execPath, ['test/sim/run-sim.ts', '--from', String(from), '--seeds', String(seeds), '--no-shrink'], { cwd: tree, encoding: 'utf8', maxBuffer: 2 ** 28 });
  const [broken] = INVARIANT.exec(run.stderr) ?? [];
  if (broken !== undefined) {
    console.log(`  ${broken}`);
    return undefined;
  }
  return run.status === 0 ? `survives ${String(seeds)} seeds` : `fails, but not by an invariant:\n${run.stdout.slice(-2_000)}${run.stderr.slice(-2_000)}`;
}

/** Undefined when it was caught, else what went wrong. */
function judge(patch: string, tree: string): string | undefined {
  const applied = spawnSync('git', ['apply', '--whitespace=nowarn', patch], { cwd: tree, encoding: 'utf8' });
  if (applied.status !== 0) {
    return `does not apply: ${applied.stderr.trim()}`;
  }
  const seeds = seedsOf(patch);
  if (seeds !== undefined) {
    const problem = judgeBySimulation(seeds, tree);
    execFileSync('git', ['checkout', '-q', '.'], { cwd: tree });
    return problem;
  }
  const tests = testsOf(patch, tree);
  const run = spawnSync(path.join(ROOT, 'node_modules/.bin/ava'), ['--tap', '--concurrency=1', ...tests], {
    cwd: tree, encoding: 'utf8', maxBuffer: 2 ** 28, env: { ...process.env, PATH: `${path.join(ROOT, 'node_modules/.bin')}:${process.env['PATH'] ?? ''}` },
  });
  execFileSync('git', ['checkout', '-q', '.'], { cwd: tree });
  if (run.status === 0) {
    return `survives ${tests.join(' ')}`;
  }
  return /^not ok/m.test(run.stdout) && ASSERTION.test(run.stdout) ? undefined : `fails, but not by an assertion:\n${run.stdout.slice(-2_000)}${run.stderr.slice(-2_000)}`;
}

const MUTANTS = globSync('*.patch', { cwd: import.meta.dirname }).map(file => file.replace(/\.patch$/, '')).sort();
const USAGE = `usage: npm run mutants -- [NAME]...      default: all

NAME is one of ${MUTANTS.join(', ')}.`;
const wanted = scriptOptions(USAGE, {}, ({ positionals }) => requireNames('mutant', positionals, MUTANTS));
const patches = MUTANTS.filter(name => wanted.length === 0 || wanted.includes(name)).map(name => `${name}.patch`);
const scratch = mkdtempSync(path.join(tmpdir(), 'gantry-mutants-'));
const tree = path.join(scratch, 'tree');
let survivors = 0;
try {
  execFileSync('git', ['worktree', 'add', '-q', '--detach', tree], { cwd: ROOT });
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(tree, 'node_modules'));
  for (const name of patches) {
    const problem = judge(path.join(import.meta.dirname, name), tree);
    console.log(`${problem === undefined ? 'caught' : 'NOT CAUGHT'}: ${name}${problem === undefined ? '' : `: ${problem}`}`);
    survivors += problem === undefined ? 0 : 1;
  }
} finally {
  execFileSync('git', ['worktree', 'remove', '--force', tree], { cwd: ROOT });
  rmSync(scratch, { recursive: true, force: true });
}
console.log(`${String(patches.length - survivors)} of ${String(patches.length)} mutants caught`);
process.exitCode = survivors === 0 ? 0 : 1;
