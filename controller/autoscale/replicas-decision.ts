/** How many replicas a service should have, from what was measured. */
import type { AutoscaleWish } from '#model/app.ts';
import type { AutoscaleSpec } from '#model/service.ts';
import { withinLimits } from './replicas-in-force.ts';

/** One measure of a service, as it is now. */
export type Reading =
  | {
    readonly kind: 'use';
    readonly name: 'cpu' | 'memory';
    readonly targetPercent: number;
    /** Of each task that serves, in per cent of its request. */
    readonly percents: readonly number[];
    /** Tasks that serve, of whose use nothing is known. */
    readonly unknownCount: number;
    /** Tasks that do not serve yet, or are still warming up. */
    readonly unreadyCount: number;
  }
  | { readonly kind: 'metric'; readonly target: number; readonly value: number }
  /** `problem` is a sentence that stays the same while its cause does. */
  | { readonly kind: 'missing'; readonly problem: string };

export interface ReplicasInput {
  readonly spec: AutoscaleSpec;
  /** Wanted now. */
  readonly current: number;
  readonly readings: readonly Reading[];
  /** As the decision before left them. */
  readonly wishes: readonly AutoscaleWish[];
  /** Unix ms. */
  readonly nowMs: number;
}

export interface ReplicasDecision {
  readonly replicas: number;
  /** What asks for the most. Empty: nothing was decided. */
  readonly reason: string;
  readonly wishes: readonly AutoscaleWish[];
  /** Something could not be measured; then it goes up at most. */
  readonly problem?: string;
}

/** Source of all but the rounding, and what does not serve yet on the way down: Kubernetes, HorizontalPodAutoscaler v2, "Algorithm details" and "Default behavior". */
const TOLERANCE = 0.1;
/** 1.1 less 1 is more than 0.1 in binary. */
const ROUNDING = 1e-9;
const MISSING_PERCENT = 100;
const RISE_FACTOR = 2;
const RISE_COUNT = 4;
/** Wishes of one stabilization time that are told apart. */
const BUCKETS = 10;
/** Two intervals of `autoscale-loop.ts`: a wish as old as that was followed by this measurement. */
const MAX_GAP_MS = 30_000;

/**
 * The most that any measure asks for, held back by what was wanted in the stabilization times, and within `min` and `max`.
 *
 * Nothing is concluded from what is missing: without one of the measures the service does not shrink, without all of them it stays as it is.
 * One look raises it at most to the double, or by four.
 */
export function decideReplicas({ spec, current, readings, wishes, nowMs }: ReplicasInput): ReplicasDecision {
  const proposals = readings.flatMap(reading => (reading.kind === 'missing' ? [] : [propose(reading, current)]));
  const problem = readings.flatMap(reading => (reading.kind === 'missing' ? [reading.problem] : [])).join('; ');
  const highest = proposals.reduce<Proposal | undefined>((most, one) => (most === undefined || one.replicas > most.replicas ? one : most), undefined);
  const told = problem === '' ? {} : { problem };
  const kept = recentWishes(spec, wishes, nowMs);
  if (highest === undefined || (problem !== '' && highest.replicas < current)) {
    return { replicas: current, reason: '', wishes: kept, ...told };
  }
  const wanted = withinLimits(highest.replicas, spec);
  const all = withWish(spec, { kept, isFollowed: isFollowed(spec, wishes, nowMs) }, { current, wanted, nowMs });
  const rise = Math.max(current * RISE_FACTOR, current + RISE_COUNT);
  const replicas = withinLimits(Math.min(rise, stabilized(spec, all, { current, wanted, nowMs })), spec);
  const isSteady = wanted === replicas && all.every(wish => wish.least === replicas && wish.replicas === replicas);
  return { replicas, reason: highest.reason, wishes: isSteady ? [] : all, ...told };
}

interface Proposal {
  readonly replicas: number;
  readonly reason: string;
}

function propose(reading: Exclude<Reading, { readonly kind: 'missing' }>, current: number): Proposal {
  if (reading.kind === 'metric') {
    const { target, value } = reading;
    const isNear = current > 0 && isWithinTolerance(value / (target * current));
    return { replicas: isNear ? current : Math.max(0, Math.ceil(value / target)), reason: `the metric is ${shown(value)}, ${shown(target)} for each replica` };
  }
  const { name, targetPercent, percents } = reading;
  const used = mean(percents);
  return { replicas: proposeByUse(reading, current), reason: `${name} is ${shown(used)}% of what is requested, ${String(targetPercent)}% is aimed at` };
}

/**
 * What is unknown counts against the change: as nothing used on the way up, as all that was requested on the way down; what does not serve yet as nothing,
 * and as what is aimed at, so that what was made for a load is not taken away again before it takes its share.
 */
function proposeByUse({ targetPercent, percents, unknownCount, unreadyCount }: Extract<Reading, { readonly kind: 'use' }>, current: number): number {
  const ratio = mean(percents) / targetPercent;
  if (percents.length === 0 || ratio === 1) {
    return current;
  }
  const filled = [
    ...percents,
    ...Array<number>(unknownCount).fill(ratio > 1 ? 0 : Math.max(MISSING_PERCENT, targetPercent)),
    ...Array<number>(unreadyCount).fill(ratio > 1 ? 0 : targetPercent),
  ];
  const filledRatio = mean(filled) / targetPercent;
  const hasTurned = (ratio > 1) !== (filledRatio > 1);
  const replicas = Math.ceil(filledRatio * filled.length);
  const isOtherWay = ratio > 1 ? replicas < current : replicas > current;
  return isWithinTolerance(filledRatio) || hasTurned || isOtherWay ? current : replicas;
}

function isWithinTolerance(ratio: number): boolean {
  return Math.abs(ratio - 1) <= TOLERANCE + ROUNDING;
}

interface Moment {
  readonly current: number;
  readonly wanted: number;
  readonly nowMs: number;
}

/** The least of the way up's time, the most of the way down's. */
function stabilized({ stabilizationMs, upStabilizationMs }: AutoscaleSpec, wishes: readonly AutoscaleWish[], { current, wanted, nowMs }: Moment): number {
  const within = (windowMs: number): readonly AutoscaleWish[] => (windowMs === 0 ? [] : wishes.filter(wish => nowMs - wish.atMs < windowMs));
  return wanted > current
    ? Math.max(current, Math.min(wanted, ...within(upStabilizationMs).map(wish => wish.least)))
    : Math.min(current, Math.max(wanted, ...within(stabilizationMs).map(wish => wish.replicas)));
}

interface EarlierWishes {
  /** Within the stabilization time. */
  readonly kept: readonly AutoscaleWish[];
  /** The measurement before this one was a wish too, also where it is older than the stabilization time. */
  readonly isFollowed: boolean;
}

/** The first wish for another number stands for those before it too, which were all for `current`. */
function withWish(spec: AutoscaleSpec, { kept, isFollowed: hasEarlier }: EarlierWishes, { current, wanted, nowMs }: Moment): readonly AutoscaleWish[] {
  const widthMs = bucketMs(spec);
  if (widthMs === 0) {
    return [];
  }
  const atMs = Math.ceil(nowMs / widthMs) * widthMs;
  const last = kept.at(-1);
  const others = last?.atMs === atMs ? [last] : kept.length === 0 && !hasEarlier ? [{ replicas: current, least: current }] : [];
  const wish = { atMs, replicas: Math.max(wanted, ...others.map(one => one.replicas)), least: Math.min(wanted, ...others.map(one => one.least)) };
  return [...(last?.atMs === atMs ? kept.slice(0, -1) : kept), wish];
}

/** Those of a clock that was set back are forgotten. */
function recentWishes(spec: AutoscaleSpec, wishes: readonly AutoscaleWish[], nowMs: number): readonly AutoscaleWish[] {
  const widthMs = bucketMs(spec);
  return wishes.filter(({ atMs }) => nowMs - atMs < longestMs(spec) && atMs <= nowMs + widthMs);
}

function isFollowed(spec: AutoscaleSpec, wishes: readonly AutoscaleWish[], nowMs: number): boolean {
  const last = wishes.at(-1);
  return last !== undefined && nowMs - last.atMs < Math.max(longestMs(spec), MAX_GAP_MS) && last.atMs <= nowMs + bucketMs(spec);
}

function bucketMs(spec: AutoscaleSpec): number {
  return Math.ceil(longestMs(spec) / BUCKETS);
}

function longestMs({ stabilizationMs, upStabilizationMs }: AutoscaleSpec): number {
  return Math.max(stabilizationMs, upStabilizationMs);
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Three digits are enough for a person. */
function shown(value: number): string {
  return String(Number(value.toPrecision(3)));
}
