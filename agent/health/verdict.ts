import type { HealthCheck } from '#model/service.ts';
import type { HealthVerdict } from './ports.ts';

/** One finished probe. `message` is the reason of a failure, in one line. */
export type ProbeResult = { readonly isSuccess: true } | { readonly isSuccess: false; readonly message: string };

/** Summary of the probes so far. */
export interface ProbeHistory {
  readonly verdict: HealthVerdict;
  readonly failuresInARow: number;
}

export const NO_PROBES: ProbeHistory = { verdict: { health: 'starting', message: '' }, failuresInARow: 0 };

/** Interval until the first verdict, so that a rollout does not wait for a long interval. */
const STARTING_INTERVAL_MS = 500;
/** The same for an exec probe, which starts a runtime each time. */
const STARTING_EXEC_INTERVAL_MS = 2_000;
/**
 * Fraction of the interval by which probes vary, so that 200 containers are not probed at the same
 * time.
 */
const JITTER = 0.2;

/**
 * Computes the history after one more probe.
 * One success makes a container healthy. `retries` consecutive failures make it unhealthy; failures
 * in the start period do not count until the container was healthy once. Otherwise the health
 * stays, with the last failure as message unless it is healthy.
 */
export function judgeProbe(check: HealthCheck, history: ProbeHistory, result: ProbeResult, sinceStartMs: number): ProbeHistory {
  if (result.isSuccess) {
    return { verdict: { health: 'healthy', message: '' }, failuresInARow: 0 };
  }
  const { health } = history.verdict;
  const isCounted = health !== 'starting' || sinceStartMs > check.startPeriodMs;
  const failuresInARow = isCounted ? history.failuresInARow + 1 : 0;
  if (failuresInARow >= check.retries) {
    return { verdict: { health: 'unhealthy', message: result.message }, failuresInARow };
  }
  return { verdict: { health, message: health === 'healthy' ? '' : result.message }, failuresInARow };
}

/** Returns the time until the next probe. @param random  0 <= random < 1 */
export function nextProbeDelayMs(check: HealthCheck, history: ProbeHistory, random: number): number {
  const startingMs = check.action.kind === 'exec' ? STARTING_EXEC_INTERVAL_MS : STARTING_INTERVAL_MS;
  const intervalMs = history.verdict.health === 'starting' ? Math.min(check.intervalMs, startingMs) : check.intervalMs;
  return Math.round(intervalMs * (1 + JITTER * (random - 0.5)));
}

/** Returns true if an observer of `before` must be notified of `after`. */
export function isVerdictChanged(before: HealthVerdict, after: HealthVerdict): boolean {
  return before.health !== after.health || before.message !== after.message;
}
