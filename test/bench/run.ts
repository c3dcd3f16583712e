/**
 * Measures one thing against a peer and a floor, in turn, on one machine: only the ratios carry over to another.
 *
 *   npm run bench -- NAME [--runs N] [--rounds N] [--json] [--install-peer]
 *   npm run bench -- schedule [--nodes N] [--tasks M] | --gpu | [--nodes-csv FILE --pods-csv FILE]
 *   npm run bench -- sessions [--nodes N]
 *   npm run bench -- fleet [--nodes N] [--tasks M] [--controllers C]
 *   npm run bench -- growth [--minutes N]
 *
 * Prints a table for people (on standard error with --json) and, last, one JSON object. The exit code is 0 when the goals are met, 1 when not, 2 when it could not be measured.
 */
import { requireCount, requireNames, scriptOptions, UsageError } from '../support/script-options.ts';
import { BENCHES } from './bench-list.ts';
import type { Bench, Goal, PreparedBench, Side } from './bench.ts';
import { withBenchDisk } from './bench-disk.ts';
import { becomesQuiet, machineFacts } from './machine-load.ts';
import { formatReport, makeReport } from './report.ts';
import type { BenchReport, SideSamples } from './report.ts';

const ROUNDS = 3;

interface Options {
  readonly name: string;
  readonly runs?: number;
  readonly rounds: number;
  readonly isJson: boolean;
  readonly mayInstall: boolean;
  readonly flags: ReadonlyMap<string, string>;
}

const USAGE = `usage: npm run bench -- NAME [--runs N] [--rounds N] [--json] [--install-peer]
       npm run bench -- schedule [--nodes N] [--tasks M] | --gpu | [--nodes-csv FILE --pods-csv FILE]
       npm run bench -- sessions [--nodes N]
       npm run bench -- fleet [--nodes N] [--tasks M] [--controllers C]
       npm run bench -- growth [--minutes N]

NAME is one of ${Object.keys(BENCHES).join(', ')}.
  --runs N          measurements of each side in a round
  --rounds N        rounds; default ${String(ROUNDS)}
  --json            the table goes to standard error, and the JSON object alone to standard output
  --install-peer    installs the peer where it is absent`;

/** Options that a bench has beside the others'. */
const SCHEDULE_FLAGS = ['nodes', 'tasks', 'nodes-csv', 'pods-csv', 'gpu'] as const;
const FLAGS = [...SCHEDULE_FLAGS, 'controllers', 'minutes'] as const;
const FLAGS_OF: Readonly<Record<string, readonly string[]>> = {
  schedule: SCHEDULE_FLAGS, sessions: ['nodes'], fleet: ['nodes', 'tasks', 'controllers'], growth: ['minutes'],
};

function readOptions(): Options {
  const options = {
    runs: { type: 'string' }, rounds: { type: 'string' }, json: { type: 'boolean' }, 'install-peer': { type: 'boolean' },
    nodes: { type: 'string' }, tasks: { type: 'string' }, 'nodes-csv': { type: 'string' }, 'pods-csv': { type: 'string' }, gpu: { type: 'boolean' },
    controllers: { type: 'string' }, minutes: { type: 'string' },
  } as const;
  return scriptOptions(USAGE, options, ({ values, positionals }) => {
    const [name, ...others] = requireNames('bench', positionals, Object.keys(BENCHES));
    if (name === undefined || others.length > 0) {
      throw new UsageError(`the name of one bench is expected, not ${String(positionals.length)}`);
    }
    const flags = new Map(FLAGS.flatMap(flag => (values[flag] === undefined ? [] : [[flag, String(values[flag])] as const])));
    const strange = [...flags.keys()].filter(flag => !(FLAGS_OF[name] ?? []).includes(flag));
    if (strange.length > 0) {
      throw new UsageError(`--${strange.join(', --')}: the bench ${name} has no such option`);
    }
    return {
      name, rounds: requireCount('rounds', values.rounds ?? String(ROUNDS)), isJson: values.json === true, mayInstall: values['install-peer'] === true, flags,
      ...(values.runs === undefined ? {} : { runs: requireCount('runs', values.runs) }),
    };
  });
}

interface Rounds {
  readonly rounds: number;
  readonly runs: number;
  readonly waitsForQuiet: boolean;
  readonly tell: (line: string) => void;
}

/** Each round measures every side once, so that what the machine does meanwhile hits all of them. */
async function measureRounds(prepared: PreparedBench, { rounds, runs, waitsForQuiet, tell }: Rounds): Promise<{ readonly samples: ReadonlyMap<Side, number[]>; readonly isQuiet: boolean }> {
  const sides = [prepared.gantry, prepared.peer, prepared.floor].filter(side => side !== undefined);
  const samples = new Map<Side, number[]>(sides.map(side => [side, []]));
  let isQuiet = true;
  for (let round = 1; round <= rounds; round += 1) {
    if (waitsForQuiet) isQuiet = await becomesQuiet() && isQuiet;
    for (const side of sides) {
      const measured = await side.measure(runs);
      samples.get(side)?.push(...measured);
      tell(`round ${String(round)} ${side.name}: ${measured.map(value => value.toPrecision(4)).join(' ')}`);
    }
  }
  return { samples, isQuiet };
}

async function measure(bench: Bench, options: Options, directory: string): Promise<{ readonly report: BenchReport; readonly goals: readonly Goal[] }> {
  const tell = (line: string): void => { console.error(line); };
  const isAlwaysBusy = bench.isAlwaysBusy === true;
  const wasQuiet = !isAlwaysBusy || await becomesQuiet();
  await using prepared = await bench.prepare({ directory, mayInstall: options.mayInstall, flags: options.flags, tell });
  const { samples, isQuiet } = await measureRounds(prepared, { rounds: options.rounds, runs: options.runs ?? bench.runs, waitsForQuiet: !isAlwaysBusy, tell });
  const of = (side: Side): SideSamples => ({ name: side.name, samples: samples.get(side) ?? [] });
  const goals = prepared.goals ?? bench.goals;
  const report = makeReport({
    bench: options.name, machine: await machineFacts(), rounds: options.rounds, unit: bench.unit, isMoreBetter: bench.isMoreBetter, noisy: !(isQuiet && wasQuiet), gantry: of(prepared.gantry),
    ...(prepared.peer === undefined ? {} : { peer: of(prepared.peer) }),
    ...(prepared.floor === undefined ? {} : { floor: of(prepared.floor) }),
    extra: await prepared.extra(),
  }, goals);
  return { report, goals };
}

/** Also what went wrong before the clean-up went wrong. */
function tellAll(error: unknown): void {
  if (error instanceof SuppressedError) {
    tellAll(error.suppressed);
    tellAll(error.error);
  } else {
    console.error(error);
  }
}

try {
  const options = readOptions();
  const bench = await BENCHES[options.name]?.();
  if (bench === undefined) throw new Error(`no bench ${options.name}`);
  const { report, goals } = bench.needsDisk === false ? await measure(bench, options, '') : await withBenchDisk(async directory => await measure(bench, options, directory));
  const table = formatReport(report, goals);
  if (options.isJson) {
    console.error(table);
  } else {
    console.log(table);
  }
  console.log(JSON.stringify(report));
  process.exit(report.pass ? 0 : 1);
} catch (error) {
  tellAll(error);
  process.exit(2);
}
