const UNITS = [['d', 86_400_000], ['h', 3_600_000], ['m', 60_000], ['s', 1_000]] as const;

/** Time since `thenMs` as `3m` or `2h5m`: two units below a day, one above; never negative, since clocks differ. */
export function formatAge(thenMs: number, nowMs: number): string {
  const ageMs = Math.max(0, nowMs - thenMs);
  const index = UNITS.findIndex(([, unitMs]) => ageMs >= unitMs);
  const [unit, unitMs] = UNITS[index] ?? (['s', 1_000] as const);
  const count = Math.floor(ageMs / unitMs);
  const next = UNITS[index + 1];
  if (unit === 'd' || index < 0 || next === undefined) {
    return `${String(count)}${unit}`;
  }
  const rest = Math.floor((ageMs - count * unitMs) / next[1]);
  return rest === 0 || count >= 10 ? `${String(count)}${unit}` : `${String(count)}${unit}${String(rest)}${next[0]}`;
}

/** RFC 3339 with milliseconds; null for a time that is not. */
export function formatTime(timeMs: number | undefined): string | null {
  return timeMs === undefined ? null : new Date(timeMs).toISOString();
}
