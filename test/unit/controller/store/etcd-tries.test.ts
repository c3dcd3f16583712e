import test from 'ava';
import { mayAskAnother, nextTryMs } from '../../../../controller/store/etcd-tries.ts';
import type { CallKind } from '../../../../controller/store/etcd-tries.ts';

/** Tries of a call that no member answers; `lateMs` is what each takes over its time. */
function tries(kind: CallKind, memberCount: number, lateMs = 0): readonly number[] {
  const taken: number[] = [];
  for (let elapsedMs = 0; ;) {
    const tryMs = nextTryMs({ kind, memberCount }, elapsedMs);
    if (tryMs === 0) return taken;
    taken.push(tryMs);
    elapsedMs += tryMs + lateMs;
  }
}

test('a call that may be repeated asks three silent members within the time of a call, and no fourth', t => {
  t.deepEqual([3, 5].map(count => tries('repeatable', count)), [[1_500, 1_500, 1_500], [1_500, 1_500, 1_500]]);
});

test('tries that end late leave less for the last one, and none where hardly anything is left', t => {
  t.deepEqual(tries('repeatable', 3, 200), [1_500, 1_500, 1_100]);
  t.deepEqual(tries('repeatable', 3, 720), [1_500, 1_500]);
});

test('a member that refuses at once costs the next ones nothing', t => {
  t.is(nextTryMs({ kind: 'repeatable', memberCount: 3 }, 5), 1_500);
});

test('one that is the only one, or may have carried out what is not to be repeated, has the whole time', t => {
  t.deepEqual([tries('repeatable', 1), tries('once', 1), tries('once', 3)], [[4_500], [4_500], [4_500]]);
  t.is(nextTryMs({ kind: 'once', memberCount: 3 }, 1_000), 3_500);
  t.deepEqual([mayAskAnother('repeatable', 1), mayAskAnother('once', 3), mayAskAnother('repeatable', 3)], [false, false, true]);
});
