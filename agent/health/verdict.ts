import type { HealthCheck } from '#model/service.ts';
import type { HealthVerdict } from './ports.ts';

/** One finished probe. `message` says in one line why it failed. */
export type ProbeResult = { readonly isSuccess: true } | { readonly isSuccess: false; readonly message: string };

/** What the probes so far say. */
export interface ProbeHistory {
  readonly verdict: HealthVerdict;
  readonly failuresInARow: number;
}

export const NO_PROBES: ProbeHistory = { verdict: { health: 'starting', message: '' }, failuresInARow: 0 };

/** Until the first verdict a container is asked more often, so that a rollout does not wait for a long interval. */
const STARTING_INTERVAL_MS = 500;
/** An exec probe costs a start of the runtime. */
const STARTING_EXEC_INTERVAL_MS = 2_000;
/** Share of the interval by which probes are spread, so that 200 containers are not asked at once. */
const JITTER = 0.2;

/**
 * What follows from one more probe.
 *
 * One success makes healthy. `retries` failures in a row make unhealthy; those of the start period do not count until the container was
 * healthy once. In between the health stays, with the last failure as its message unless it is healthy.
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

/** Time until the next probe. @param random  0 <= random < 1 */
export function nextProbeDelayMs(check: HealthCheck, history: ProbeHistory, random: number): number {
  const startingMs = check.action.kind === 'exec' ? STARTING_EXEC_INTERVAL_MS : STARTING_INTERVAL_MS;
  const intervalMs = history.verdict.health === 'starting' ? Math.min(check.intervalMs, startingMs) : check.intervalMs;
  return Math.round(intervalMs * (1 + JITTER * (random - 0.5)));
}

/** True when somebody who knows `before` has to hear of `after`. */
export function isVerdictChanged(before: HealthVerdict, after: HealthVerdict): boolean {
  return before.health !== after.health || before.message !== after.message;
}
