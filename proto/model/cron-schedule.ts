/** When a cron is due: a schedule and a time zone -> times, right over changes of the zone's clock. */
import { Cron } from 'croner';
import type { CronSpec } from './service.ts';

export type Schedule = Pick<CronSpec, 'schedule' | 'timezone'>;

const FIELDS = /^[A-Za-z0-9*,/#?-]+(?: +[A-Za-z0-9*,/#?-]+){4}$/;
const NICKNAMES = ['@hourly', '@daily', '@weekly', '@monthly', '@yearly', '@annually'];
/** How far back the newest time is looked for, nearest first: a schedule of every minute has few times in the first, one of a leap day none but in the last. */
const WINDOWS_MS = [3_600_000, 86_400_000, 32 * 86_400_000, 367 * 86_400_000, Number.POSITIVE_INFINITY];

/** Unix milliseconds, whole minutes. */
export interface DueTimes {
  /** The newest time after `afterMs`, up to and with `nowMs`. */
  readonly newestMs?: number;
  /** It is not the only one. */
  readonly hasEarlier: boolean;
  /** The first after both; absent where the schedule has none. */
  readonly nextAtMs?: number;
}

/**
 * What is due of the schedule in (`afterMs`, `nowMs`], and its next time.
 *
 * Where the clock is put forward, times that it leaves out are run once at the moment that it jumps to; where it is put back, a time that
 * comes twice is run once, the first time. Schedules with a `*` in the minute or hour follow real time through both instead: an hourly one
 * has 23 and 25 times on these days.
 * Source: cron(8) of Vixie cron, "Notes", which croner follows
 *
 * @throws Error for a schedule or time zone with a problem (`scheduleProblem`, `timezoneProblem`)
 */
export function dueTimes(schedule: Schedule, afterMs: number, nowMs: number): DueTimes {
  const cron = parse(schedule);
  const nextAtMs = firstAfter(cron, Math.max(afterMs, nowMs));
  const next = nextAtMs === undefined ? {} : { nextAtMs };
  const firstMs = firstAfter(cron, afterMs);
  if (firstMs === undefined || firstMs > nowMs) {
    return { hasEarlier: false, ...next };
  }
  const newestMs = newestUntil(cron, firstMs, nowMs);
  return { newestMs, hasEarlier: newestMs > firstMs, ...next };
}

function firstAfter(cron: Cron, afterMs: number): number | undefined {
  return cron.nextRun(new Date(afterMs))?.getTime();
}

function newestUntil(cron: Cron, firstMs: number, nowMs: number): number {
  for (const windowMs of WINDOWS_MS) {
    let newestMs: number | undefined;
    const fromMs = Math.max(firstMs - 1, nowMs - windowMs);
    for (let timeMs = firstAfter(cron, fromMs); timeMs !== undefined && timeMs <= nowMs; timeMs = firstAfter(cron, timeMs)) {
      newestMs = timeMs;
    }
    if (newestMs !== undefined) {
      return newestMs;
    }
  }
  return firstMs;
}

/** What is wrong with the text of a schedule, as the end of a sentence about it. */
export function scheduleProblem(schedule: string): string | undefined {
  if (!FIELDS.test(schedule) && !NICKNAMES.includes(schedule)) {
    return `is not a schedule; write five fields, as "30 2 * * 1-5" (minute hour day month weekday), or ${NICKNAMES.join(', ')}`;
  }
  try {
    const hasTime = parse({ schedule, timezone: 'UTC' }).nextRun(new Date(0)) !== null;
    return hasTime ? undefined : 'has no time at all';
  } catch (error) {
    return `is not a schedule: ${(error as Error).message.replace(/^CronPattern: /, '')}`;
  }
}

/** Likewise of a time zone: a name of the IANA database that this machine knows. */
export function timezoneProblem(timezone: string): string | undefined {
  const problem = 'is not a time zone; write a name of the IANA database, as Europe/Paris or UTC';
  if (!/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/.test(timezone)) {
    return problem;
  }
  try {
    new Intl.DateTimeFormat('en', { timeZone: timezone });
    return undefined;
  } catch {
    // A RangeError is how Intl says that it does not know the zone.
    return problem;
  }
}

function parse({ schedule, timezone }: Schedule): Cron {
  return new Cron(schedule, { timezone, paused: true, mode: '5-part', fixedTimeRule: 'no-wildcard' });
}
