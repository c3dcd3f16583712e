import test from 'ava';
import { simulateCluster } from './cluster-sim.ts';
import type { Step } from './sim-schedule.ts';
import { CONTROLLERS } from './sim-schedule.ts';

/** All controllers stand still 3 s of each 15 s. */
const STALLS: readonly Step[] = Array.from({ length: 19 }, (_, index) => 10_000 + index * 15_000)
  .flatMap(atMs => Array.from({ length: CONTROLLERS }, (_, who): Step => ({ atMs, forMs: 3_000, what: { kind: 'pause-controller', who } })));

test('A3: controllers that stand still again and again give up a node that is cut off, and no other', async t => {
  // (LOST + EVICT) * 15 / (15 - 3 - 1), and a period.
  const cut: Step = { atMs: 62_000, forMs: 84_000, what: { kind: 'cut-node', who: 1 } };
  const { violations, reached } = await simulateCluster({ seed: 1, nodes: 4, steps: [...STALLS, cut].sort((left, right) => left.atMs - right.atMs) });
  t.deepEqual(violations, []);
  t.is(reached.get('node lost'), 1);
  t.true((reached.get('task made: node-lost') ?? 0) > 0);
});

test('A7: controllers that stand still again and again, or for 2 LOST, give up no node that is heard (I18)', async t => {
  const block: Step = { atMs: 200_000, forMs: 40_000, what: { kind: 'pause-controller', who: 0 } };
  const blocks = [0, 1, 2].map((who): Step => ({ ...block, what: { kind: 'pause-controller', who } }));
  const { violations, reached } = await simulateCluster({ seed: 2, nodes: 3, steps: [...STALLS.filter(({ atMs }) => atMs < 190_000), ...blocks] });
  t.deepEqual(violations, []);
  t.is(reached.get('node lost'), undefined);
});
