import test from 'ava';
import { countOomKills, NO_OOM_KILLS } from '../../../../agent/task/oom-kills.ts';
import type { OomKills } from '../../../../agent/task/oom-kills.ts';

const counts = test.macro({
  exec(t, before: OomKills, count: number, attempt: number, isNews: boolean, told: number) {
    t.deepEqual(countOomKills(before, attempt, count), { kills: { attempt, seen: count, told }, isNews });
  },
  title: (name = '') => `countOomKills: ${name}`,
});
test('none at first', counts, NO_OOM_KILLS, 0, 1, false, 0);
test('a first count is not settled', counts, { attempt: 1, seen: 0, told: 0 }, 2, 1, false, 0);
test('the same again is news', counts, { attempt: 1, seen: 2, told: 0 }, 2, 1, true, 2);
test('what was told is no news', counts, { attempt: 1, seen: 2, told: 2 }, 2, 1, false, 2);
test('a new attempt counts anew', counts, { attempt: 1, seen: 2, told: 2 }, 2, 2, false, 0);
