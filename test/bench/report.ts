/** From samples to what is printed: figures, ratios, goals. */
import type { Goal } from './bench.ts';

export interface Figures {
  readonly min: number;
  readonly p50: number;
  readonly p99: number;
}

export interface BenchReport {
  readonly bench: string;
  readonly machine: Readonly<Record<string, unknown>>;
  readonly rounds: number;
  readonly gantry: Figures & { readonly unit: string };
  readonly peer: (Figures & { readonly name: string }) | null;
  readonly floor: (Figures & { readonly name: string }) | null;
  /** Above 1: ours is better. */
  readonly ratio: { readonly peer: number | null; readonly floor: number | null };
  readonly goal: string;
  readonly pass: boolean;
  /** Something else ran on the machine before a round: the figures are worth little. */
  readonly noisy: boolean;
  readonly extra: Readonly<Record<string, unknown>>;
}

export interface SideSamples {
  readonly name: string;
  readonly samples: readonly number[];
}

export interface Measured {
  readonly bench: string;
  readonly machine: Readonly<Record<string, unknown>>;
  readonly rounds: number;
  readonly unit: string;
  readonly isMoreBetter: boolean;
  readonly gantry: SideSamples;
  readonly peer?: SideSamples;
  readonly floor?: SideSamples;
  readonly noisy: boolean;
  readonly extra: Readonly<Record<string, unknown>>;
}

/** @throws RangeError without samples */
export function figures(samples: readonly number[]): Figures {
  const sorted = [...samples].sort((left, right) => left - right);
  const at = (share: number): number => {
    const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
    if (value === undefined) {
      throw new RangeError('nothing was measured');
    }
    return rounded(value);
  };
  return { min: at(0), p50: at(0.5), p99: at(0.99) };
}

export function makeReport(measured: Measured, goals: readonly Goal[]): BenchReport {
  const gantry = { ...figures(measured.gantry.samples), unit: measured.unit };
  const other = (side: SideSamples | undefined): (Figures & { readonly name: string }) | null => (side === undefined ? null : { name: side.name, ...figures(side.samples) });
  const [peer, floor] = [other(measured.peer), other(measured.floor)];
  const ratioTo = (side: Figures | null): number | null => (side === null ? null : rounded(measured.isMoreBetter ? gantry.p50 / side.p50 : side.p50 / gantry.p50));
  const facts = { gantry, ratio: { peer: ratioTo(peer), floor: ratioTo(floor) }, extra: measured.extra };
  return {
    bench: measured.bench, machine: measured.machine, rounds: measured.rounds, peer, floor, noisy: measured.noisy, ...facts,
    goal: goals.map(goalText).join(', '), pass: goals.every(goal => isMet(goal, facts)),
  };
}

export function goalText(goal: Goal): string {
  const bounds = [...(goal.atLeast === undefined ? [] : [`>= ${String(goal.atLeast)}`]), ...(goal.atMost === undefined ? [] : [`<= ${String(goal.atMost)}`])];
  return `${goal.of} ${bounds.join(' and ')}`;
}

/** A goal whose figure is not there is not met. */
export function isMet(goal: Goal, facts: object): boolean {
  const value = valueAt(facts, goal.of);
  return value !== undefined && value >= (goal.atLeast ?? -Infinity) && value <= (goal.atMost ?? Infinity);
}

/** The report for a person. */
export function formatReport(report: BenchReport, goals: readonly Goal[]): string {
  const row = (name: string, side: Figures | null, ratio: number | null): string[] =>
    side === null ? [] : [[name.padEnd(28), ...[side.min, side.p50, side.p99].map(value => String(value).padStart(10)), ratio === null ? '' : `  ratio ${String(ratio)}`].join(' ')];
  const sideNamed = (side: (Figures & { readonly name: string }) | null): string => side?.name ?? '';
  return [
    `${report.bench} (${report.gantry.unit}, ${String(report.rounds)} rounds)${report.noisy ? ', NOISY: something else ran' : ''}`,
    `${''.padEnd(28)} ${['min', 'p50', 'p99'].map(title => title.padStart(10)).join(' ')}`,
    ...row('gantry', report.gantry, null),
    ...row(sideNamed(report.peer), report.peer, report.ratio.peer),
    ...row(sideNamed(report.floor), report.floor, report.ratio.floor),
    ...Object.entries(report.extra).map(([name, value]) => `${name.padEnd(28)} ${typeof value === 'string' ? value : JSON.stringify(value)}`),
    ...goals.map(goal => `${isMet(goal, report) ? 'met    ' : 'NOT MET'} ${goalText(goal)}`),
  ].join('\n');
}

function valueAt(facts: object, dotted: string): number | undefined {
  let here: unknown = facts;
  for (const key of dotted.split('.')) {
    here = typeof here === 'object' && here !== null ? (here as Readonly<Record<string, unknown>>)[key] : undefined;
  }
  return typeof here === 'number' ? here : undefined;
}

/** Three digits that mean something. */
export function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
