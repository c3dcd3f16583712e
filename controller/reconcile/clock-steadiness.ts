/** Since when a leader's wall clock has gone on as evenly as its monotonic one. */
export interface ClockSteadiness {
  /** Of the wall clock over the monotonic one, when last looked at. */
  readonly offsetMs: number;
  /** Unix ms. */
  readonly sinceMs: number;
}

/** More than a clock is corrected by from one look to the next, and less than matters to any deadline. */
const JUMP_MS = 1_000;

/** @param known  of the look before; undefined: the term has just begun */
export function nextSteadiness(known: ClockSteadiness | undefined, { nowMs, monotonicMs }: { readonly nowMs: number; readonly monotonicMs: number }): ClockSteadiness {
  const offsetMs = nowMs - monotonicMs;
  const isSteady = known !== undefined && Math.abs(offsetMs - known.offsetMs) <= JUMP_MS;
  return { offsetMs, sinceMs: isSteady ? known.sinceMs : nowMs };
}
