import test from 'ava';
import { formatAge, formatTime } from '../../../../cli/format/age.ts';

const ages = test.macro({
  exec(t, ageMs: number, text: string) { t.is(formatAge(1_000_000_000_000, 1_000_000_000_000 + ageMs), text); },
  title: (_, ageMs: number, text: string) => `${String(ageMs)} ms is ${text}`,
});
test(ages, -5_000, '0s');
test(ages, 999, '0s');
test(ages, 59_999, '59s');
test(ages, 60_000, '1m');
test(ages, 185_000, '3m5s');
test(ages, 600_000, '10m');
test(ages, 7_500_000, '2h5m');
test(ages, 86_400_000, '1d');
test(ages, 100 * 86_400_000 + 5, '100d');

test('times have milliseconds', t => {
  t.is(formatTime(0), '1970-01-01T00:00:00.000Z');
  t.is(formatTime(undefined), null);
});
