import test from 'ava';
import { fc } from '../../../support/property.ts';
import { dueTimes, scheduleProblem, timezoneProblem } from '#model/cron-schedule.ts';

const at = (text: string): number => Date.parse(text);
const iso = (timeMs: number | undefined): string | undefined => (timeMs === undefined ? undefined : new Date(timeMs).toISOString().replace(':00.000Z', 'Z'));
const paris = (schedule: string): { readonly schedule: string; readonly timezone: string } => ({ schedule, timezone: 'Europe/Paris' });

/** All times in between, one after the other, as a leader that never sleeps sees them. */
function timesBetween(schedule: string, from: string, until: string): readonly (string | undefined)[] {
  const times: number[] = [];
  for (let next = dueTimes(paris(schedule), at(from), at(from)).nextAtMs; next !== undefined && next <= at(until); next = dueTimes(paris(schedule), next, next).nextAtMs) {
    times.push(next);
  }
  return times.map(iso);
}

const falls = test.macro({
  exec(t, schedule: string, [from, until]: readonly [string, string], expected: readonly string[]) {
    t.deepEqual(timesBetween(schedule, from, until), [...expected]);
  },
  title: (name = '', schedule: string) => `${schedule} in Paris: ${name}`,
});

/** 02:00 becomes 03:00 at 01:00Z. */
const FORWARD = ['2026-03-28T20:00Z', '2026-03-30T02:30Z'] as const;
test('a time that the clock leaves out is run when it jumps', falls, '30 2 * * *', FORWARD, ['2026-03-29T01:00Z', '2026-03-30T00:30Z']);
test('two times that it leaves out are one run', falls, '0,30 2 * * *', FORWARD, ['2026-03-29T01:00Z', '2026-03-30T00:00Z', '2026-03-30T00:30Z']);
test('a time after the jump is run once', falls, '0 3 * * *', FORWARD, ['2026-03-29T01:00Z', '2026-03-30T01:00Z']);
test('every half hour, the day has 23 hours', falls, '*/30 * * * *', ['2026-03-29T00:15Z', '2026-03-29T02:15Z'], ['2026-03-29T00:30Z', '2026-03-29T01:00Z', '2026-03-29T01:30Z', '2026-03-29T02:00Z']);

/** 03:00 becomes 02:00 at 01:00Z. */
const BACK = ['2026-10-24T20:00Z', '2026-10-26T02:00Z'] as const;
test('a time that comes twice is run once', falls, '30 2 * * *', BACK, ['2026-10-25T00:30Z', '2026-10-26T01:30Z']);
test('two times that come twice are run once each', falls, '15,45 2 * * *', BACK, ['2026-10-25T00:15Z', '2026-10-25T00:45Z', '2026-10-26T01:15Z', '2026-10-26T01:45Z']);
test('a time after the clock was put back is an hour later', falls, '0 3 * * *', BACK, ['2026-10-25T02:00Z', '2026-10-26T02:00Z']);
test('every hour, the day has 25 hours', falls, '0 * * * *', ['2026-10-24T23:30Z', '2026-10-25T02:30Z'], ['2026-10-25T00:00Z', '2026-10-25T01:00Z', '2026-10-25T02:00Z']);

test('a time is due when it has come, not a millisecond before, and never again', t => {
  const noon = at('2026-05-01T10:00Z');
  t.deepEqual(dueTimes(paris('0 12 * * *'), noon - 1, noon), { newestMs: noon, hasEarlier: false, nextAtMs: noon + 86_400_000 });
  t.deepEqual(dueTimes(paris('0 12 * * *'), noon - 2, noon - 1), { hasEarlier: false, nextAtMs: noon });
  t.deepEqual(dueTimes(paris('0 12 * * *'), noon, noon + 1), { hasEarlier: false, nextAtMs: noon + 86_400_000 });
});

test('of several missed times the newest is told', t => {
  const due = dueTimes(paris('*/10 * * * *'), at('2026-05-01T10:00Z'), at('2026-05-01T13:05Z'));
  t.deepEqual([iso(due.newestMs), due.hasEarlier, iso(due.nextAtMs)], ['2026-05-01T13:00Z', true, '2026-05-01T13:10Z']);
});

test('a clock that was set back runs nothing again', t => {
  const noon = at('2026-05-01T10:00Z');
  t.deepEqual(dueTimes(paris('0 * * * *'), noon, noon - 7_200_000), { hasEarlier: false, nextAtMs: noon + 3_600_000 });
});

test('a leap day is found years ahead and years back', t => {
  const due = dueTimes(paris('0 0 29 2 *'), at('2020-01-01T00:00Z'), at('2027-01-01T00:00Z'));
  t.deepEqual([iso(due.newestMs), due.hasEarlier, iso(due.nextAtMs)], ['2024-02-28T23:00Z', true, '2028-02-28T23:00Z']);
});

test('property: the newest of a long absence is the last that step by step would have seen', t => {
  const schedules = ['*/7 * * * *', '30 2 * * *', '0,30 1-3 * * *', '15 */5 * * *', '0 0 1 * *', '5 4 * * 0'];
  const starts = fc.integer({ min: at('2026-03-01T00:00Z'), max: at('2026-11-10T00:00Z') });
  fc.assert(fc.property(fc.constantFrom(...schedules), starts, fc.integer({ min: 0, max: 3 * 86_400_000 }), (schedule, from, lengthMs) => {
    const due = dueTimes(paris(schedule), from, from + lengthMs);
    const all = timesBetween(schedule, new Date(from).toISOString(), new Date(from + lengthMs).toISOString());
    return iso(due.newestMs) === all.at(-1) && due.hasEarlier === all.length > 1;
  }), { numRuns: 40 });
  t.pass();
});

const badSchedule = test.macro({
  exec(t, schedule: string, problem: RegExp) { t.regex(scheduleProblem(schedule) ?? '', problem); },
  title: (_, schedule: string) => `'${schedule}' is no schedule`,
});
test(badSchedule, '', /write five fields/);
test(badSchedule, '* * * *', /write five fields/);
test(badSchedule, '*/5 * * * * *', /write five fields/);
test(badSchedule, '@reboot', /@daily/);
test(badSchedule, '61 * * * *', /minute: 61/);
test(badSchedule, '0 24 * * *', /hour: 24/);
test(badSchedule, '0 0 30 2 *', /no time at all/);
test(badSchedule, 'a b c d e', /illegal characters/);

test('schedules as people write them', t => {
  for (const schedule of ['30 2 * * 1-5', '*/15 9-17 * * MON-FRI', '0 0 1 JAN *', '@daily', '0 0 * * 7']) {
    t.is(scheduleProblem(schedule), undefined, schedule);
  }
});

test('a time zone is a name of the IANA database', t => {
  t.deepEqual(['Europe/Paris', 'UTC', 'America/Argentina/Ushuaia'].map(timezoneProblem), [undefined, undefined, undefined]);
  ['Mars/Olympus', '+02:00', '', 'Europe/Paris\n'].forEach(name => { t.regex(timezoneProblem(name) ?? '', /IANA/, name); });
});
