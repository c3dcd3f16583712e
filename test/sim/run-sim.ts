/** Runs the simulation of the whole control plane, on every core. */
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { requireCount, scriptOptions, UsageError } from '../support/script-options.ts';
import { simulateCluster } from './cluster-sim.ts';
import type { ClusterReport } from './cluster-sim.ts';
import { PlanSimulation } from './plan-sim.ts';
import { replayFile } from './replay.ts';
import { scheduleOf, stepText } from './sim-schedule.ts';
import { shrink } from './sim-shrink.ts';
import { simulate } from './simulation.ts';

const USAGE = `usage: npm run sim -- [--seeds N] [--from N]      seeds from..from+N-1 (1, 500); exits 1 when one fails, after it was shrunk (--no-shrink: at once)
       npm run sim -- --seed N                    one seed, twice: what it does, whether it holds, whether it is the same run
       npm run sim -- --planners [--seeds N]      the planners alone, each seed also with every map in reverse order
       npm run sim -- plans [--seeds N]           random clusters: where a plan says that tasks go, and where they then run
       npm run sim -- replay FILE                 a record of a controller (--record FILE): every decision again`;
const CHANGES_OF_A_CLUSTER = 3;
/** Services that a change is of, at most. */
const CHANGED_AT_ONCE = 6;
const { first, count, isAtOnce, run } = scriptOptions(USAGE, {
  seed: { type: 'string' }, seeds: { type: 'string', default: '500' }, from: { type: 'string', default: '1' }, planners: { type: 'boolean', default: false },
  'no-shrink': { type: 'boolean', default: false },
}, ({ values, positionals }) => ({
  first: requireCount('from', values.from, 0), count: requireCount('seeds', values.seeds), isAtOnce: values['no-shrink'],
  run: runOf(positionals, values.planners, values.seed),
}));
if (process.send !== undefined) {
  serveSeeds();
} else {
  process.exitCode = await run();
}

/** @throws UsageError */
function runOf([what, file, ...others]: readonly string[], isPlanners: boolean, seed: string | undefined): () => Promise<number> | number {
  if (what === 'replay' && file !== undefined && others.length === 0) return () => runReplay(file);
  if (what === 'replay') throw new UsageError('replay: one FILE is expected');
  if (what !== undefined && (what !== 'plans' || file !== undefined)) throw new UsageError(`${[what, file ?? '', ...others].join(' ').trim()} is nothing to run; there are plans and replay FILE`);
  if (what === 'plans') return runPlans;
  if (seed === undefined) return isPlanners ? runPlanners : runAll;
  const one = requireCount('seed', seed, 0);
  return () => runOne(one);
}

interface SeedResult {
  readonly seed: number;
  readonly traceHash: string;
  readonly violations: readonly string[];
  readonly reached: readonly (readonly [string, number])[];
}

/** A worker: a seed comes in, its result goes out. */
function serveSeeds(): void {
  process.on('message', (seed: number) => {
    void simulateCluster(scheduleOf(seed)).then(({ traceHash, violations, reached }) => {
      process.send?.({ seed, traceHash, violations, reached: [...reached] } satisfies SeedResult);
    });
  });
}

async function runAll(): Promise<number> {
  const startedAtMs = performance.now();
  const reached = new Map<string, number>();
  const failed: SeedResult[] = [];
  let next = first;
  const work = async (): Promise<void> => {
    const worker = fork(import.meta.filename, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    while (next < first + count && failed.length === 0) {
      const seed = next;
      next += 1;
      const answer = new Promise<SeedResult>((resolve, reject) => {
        worker.once('message', message => { resolve(message as SeedResult); });
        worker.once('exit', code => { reject(new Error(`the worker of seed ${String(seed)} ended with ${String(code)}`)); });
      });
      worker.send(seed);
      const result = await answer;
      worker.removeAllListeners();
      result.reached.forEach(([what, times]) => { reached.set(what, (reached.get(what) ?? 0) + times); });
      if (result.violations.length > 0) failed.push(result);
    }
    worker.disconnect();
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  for (const [what, times] of [...reached].sort()) {
    console.log(`${String(times).padStart(8)} ${what}`);
  }
  const [failure] = failed.sort((left, right) => left.seed - right.seed);
  if (failure !== undefined) {
    await tellFailure({ ...failure, reached: new Map(failure.reached) });
    return 1;
  }
  console.log(`seeds ${String(first)} to ${String(next - 1)}: no violation, ${((performance.now() - startedAtMs) / 1_000).toFixed(1)} s`);
  return 0;
}

async function tellFailure(report: ClusterReport): Promise<void> {
  console.error(`seed ${String(report.seed)} fails; again: npm run sim -- --seed ${String(report.seed)}\n  ${report.violations.join('\n  ')}`);
  if (isAtOnce) {
    return;
  }
  const { schedule, report: shortest } = await shrink(scheduleOf(report.seed), report);
  console.error(`the shortest schedule found that fails so (${String(schedule.nodes)} nodes):\n  ${schedule.steps.map(stepText).join('\n  ')}\n  ${shortest.violations.join('\n  ')}`);
}

async function runOne(seed: number): Promise<number> {
  const schedule = scheduleOf(seed);
  console.log(`${String(schedule.nodes)} nodes\n${schedule.steps.map(stepText).join('\n')}`);
  const report = await simulateCluster(schedule);
  const again = await simulateCluster(schedule);
  console.log(`trace ${report.traceHash}`);
  if (again.traceHash !== report.traceHash) {
    console.error(`the second run gave another trace: ${again.traceHash}`);
    return 1;
  }
  if (report.violations.length > 0) {
    await tellFailure(report);
    return 1;
  }
  return 0;
}

async function runReplay(path: string): Promise<number> {
  const { decisions, actions, starts, cut, leftOut, differences } = await replayFile(path);
  const total = [...decisions.values()].reduce((sum, one) => sum + one, 0);
  console.log(`${String(total)} decisions (${[...decisions].map(([kind, number]) => `${String(number)} ${kind}`).join(', ')}), ${String(actions)} of them did something; ${String(starts)} starts, ${String(cut)} lines cut, ${String(leftOut)} left out`);
  differences.slice(0, 20).forEach(line => { console.log(line); });
  console.log(total === 0 ? 'nothing to replay' : `${String(differences.length)} came out otherwise`);
  return total > 0 && differences.length === 0 ? 0 : 1;
}

function runPlans(): number {
  let elsewhere = 0;
  let tasks = 0;
  for (let seed = first; seed < first + count; seed += 1) {
    const simulation = new PlanSimulation(seed, CHANGED_AT_ONCE);
    for (let change = 1; change <= CHANGES_OF_A_CLUSTER; change += 1) {
      const { planned, carriedOut } = simulation.change();
      tasks += planned.length;
      if (JSON.stringify(planned) !== JSON.stringify(carriedOut)) {
        elsewhere += 1;
        console.error(`seed ${String(seed)}, change ${String(change)}: planned ${planned.join(', ')}; ran ${carriedOut.join(', ')}`);
      }
    }
  }
  console.log(`${String(count)} clusters, ${String(count * CHANGES_OF_A_CLUSTER)} changes, ${String(tasks)} tasks: ${String(elsewhere)} changes ended elsewhere than planned`);
  return elsewhere === 0 ? 0 : 1;
}

function runPlanners(): number {
  for (let seed = first; seed < first + count; seed += 1) {
    const report = simulate(seed, { isShuffled: false });
    const isSame = simulate(seed, { isShuffled: true }).traceHash === report.traceHash;
    const violations = isSame ? report.violations : [...report.violations, 'I4: shuffled input gave another trace'];
    if (violations.length > 0) {
      console.error(`planners, seed ${String(seed)}\n  ${violations.join('\n  ')}`);
      return 1;
    }
  }
  console.log(`planners, seeds ${String(first)} to ${String(first + count - 1)}: no violation`);
  return 0;
}
