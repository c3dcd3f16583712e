import test from 'ava';
import { CLOSED_BREAKER, massOf, nextBreaker } from '../../../../controller/reconcile/mass-breaker.ts';
import type { AwayNode, MassBreaker } from '../../../../controller/reconcile/mass-breaker.ts';
import { parseNodeId } from '#model/ids.ts';

const away = (...sinceMs: readonly number[]): readonly AwayNode[] => sinceMs.map((at, index) => ({ node: parseNodeId(`n${String(index)}`), sinceMs: at, isNew: true }));
const NOW = 100_000;

test('a mass is half of the nodes, rounded up, and at least two', t => {
  t.deepEqual([1, 2, 3, 4, 5, 10, 11].map(massOf), [2, 2, 2, 2, 3, 5, 6]);
});
const becomes = test.macro({
  exec(t, before: MassBreaker, nodes: readonly AwayNode[], expected: MassBreaker) {
    t.deepEqual(nextBreaker(before, nodes, 4, { monotonicMs: NOW, windowMs: 60_000 }), expected);
  },
  title: (name = '') => `nextBreaker: ${name}`,
});
test('closed, one away', becomes, CLOSED_BREAKER, away(NOW), CLOSED_BREAKER);
test('closed, a mass within the window opens it', becomes, CLOSED_BREAKER, away(NOW, 40_001), { isOpen: true });
test('closed, exactly the window apart does not', becomes, CLOSED_BREAKER, away(NOW, 40_000), CLOSED_BREAKER);
test('closed, nodes lost before the counting do not open it', becomes, CLOSED_BREAKER, away(NOW, NOW).map(one => ({ ...one, isNew: false })), CLOSED_BREAKER);
test('open, still a mass, however long ago', becomes, { isOpen: true, calmSinceMs: 50_000 }, away(0, 0), { isOpen: true });
test('open, first seen below the mass', becomes, { isOpen: true }, away(0), { isOpen: true, calmSinceMs: NOW });
test('open, not calm for long enough', becomes, { isOpen: true, calmSinceMs: 40_001 }, away(0), { isOpen: true, calmSinceMs: 40_001 });
test('open, calm for the window closes it', becomes, { isOpen: true, calmSinceMs: 40_000 }, away(0), CLOSED_BREAKER);
