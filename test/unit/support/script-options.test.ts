import { spawnSync } from 'node:child_process';
import path from 'node:path';
import test from 'ava';

const ROOT = path.resolve(import.meta.dirname, '../../..');
/** What `npm run` has behind it, with how each calls itself. */
const SCRIPTS: readonly (readonly [file: string, usage: string])[] = [
  ['test/run.ts', 'usage: node test/run.ts '],
  ['test/bench/run.ts', 'usage: npm run bench -- '],
  ['test/sim/run-sim.ts', 'usage: npm run sim -- '],
  ['test/shows/run.ts', 'usage: npm run shows -- '],
  ['test/mutants/run.ts', 'usage: npm run mutants -- '],
];

function call(...args: readonly string[]): { readonly code: number | null; readonly out: string; readonly errors: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
  return { code: status, out: stdout, errors: stderr };
}

const helps = test.macro({
  exec(t, file: string, usage: string) {
    const { code, out, errors } = call(file, '--help');
    t.is(code, 0);
    t.true(out.startsWith(usage), out);
    t.is(errors, '');
  },
  title: (_, file: string) => `${file} --help prints its usage`,
});

const refuses = test.macro({
  exec(t, expected: string, file: string, ...args: string[]) {
    const { code, out, errors } = call(file, ...args);
    t.is(code, 2);
    t.is(out, '');
    t.true(errors.startsWith(expected), errors);
    t.true(errors.includes('\n\nusage: '), errors);
    t.notRegex(errors, /^\s+at /m);
  },
  title: (_, __, file: string, ...args: string[]) => `${file} ${args.join(' ')} is told with the usage, and exits 2`,
});

for (const [file, usage] of SCRIPTS) {
  test(helps, file, usage);
  test(refuses, "Unknown option '--no-such-option'", file, '--no-such-option');
}
test(refuses, 'no group of tests units; there are check, unit', 'test/run.ts', 'units');
test(refuses, 'no mutant no-such; there are ', 'test/mutants/run.ts', 'no-such');
test(refuses, 'no show shops; there are ', 'test/shows/run.ts', 'shops');
test(refuses, 'no bench bursts; there are burst', 'test/bench/run.ts', 'bursts');
test(refuses, 'the name of one bench is expected, not 2', 'test/bench/run.ts', 'burst', 'pull');
test(refuses, '--nodes: the bench burst has no such option', 'test/bench/run.ts', 'burst', '--nodes', '3');
test(refuses, '--rounds 0: a whole number from 1 on is expected', 'test/bench/run.ts', 'burst', '--rounds', '0');
test(refuses, '--seeds many: a whole number from 1 on is expected', 'test/sim/run-sim.ts', '--seeds', 'many');
test(refuses, 'replay: one FILE is expected', 'test/sim/run-sim.ts', 'replay');
test(refuses, 'planz is nothing to run; there are plans and replay FILE', 'test/sim/run-sim.ts', 'planz');
