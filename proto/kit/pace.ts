/** How soon things that cost something may follow each other: a few at once, then one each interval. */

export interface PaceRule {
  /** So many may follow each other quickly after a quiet time. */
  readonly quickCount: number;
  /** One each so many milliseconds, when there are always more. */
  readonly intervalMs: number;
  /** Pause after each, however few there were. */
  readonly leastMs: number;
}

/** When the next would come at one each `intervalMs`; monotonic milliseconds. Source: ITU-T I.371, generic cell rate algorithm, theoretical arrival time */
export type Pace = number;

export const FRESH_PACE: Pace = -Infinity;

/** After one at `nowMs`. `pauseMs`: until the next, whatever waits. */
export function paceAfter(pace: Pace, nowMs: number, { quickCount, intervalMs, leastMs }: PaceRule): { readonly pace: Pace; readonly pauseMs: number } {
  const next = Math.max(pace, nowMs) + intervalMs;
  return { pace: next, pauseMs: Math.max(leastMs, next - nowMs - quickCount * intervalMs) };
}
