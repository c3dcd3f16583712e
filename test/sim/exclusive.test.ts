import test from 'ava';
import { simulateCluster } from './cluster-sim.ts';
import type { Step } from './sim-schedule.ts';

/** One agent after the other stands still until its tasks are replaced, then goes on. */
const STANDSTILLS: readonly Step[] = [0, 1, 2].map(who => ({ atMs: 20_000 + who * 90_000, forMs: 80_000, what: { kind: 'pause-agent', who } }));

test('D3: what an agent cannot stop the deadman does: its replacement is alone (I11)', async t => {
  const { violations, reached } = await simulateCluster({ seed: 1, nodes: 3, steps: STANDSTILLS });
  t.deepEqual(violations, []);
  t.true((reached.get('killed by the deadman') ?? 0) > 0);
  t.true((reached.get('task made: node-lost, exclusive') ?? 0) > 0);
});
