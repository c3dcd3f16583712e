import test from 'ava';
import { simulateCluster } from './cluster-sim.ts';
import type { Step } from './sim-schedule.ts';

/** One fault at a time, so that nothing excuses what comes late. */
const STEPS: readonly Step[] = [
  { atMs: 30_000, forMs: 80_000, what: { kind: 'cut-node', who: 0 } },
  { atMs: 130_000, forMs: 0, what: { kind: 'apply', app: 'shop', draw: 11 } },
  { atMs: 180_000, forMs: 40_000, what: { kind: 'crashes', who: 2 } },
  { atMs: 230_000, forMs: 0, what: { kind: 'apply', app: 'lab', draw: 5 } },
  { atMs: 232_000, forMs: 20_000, what: { kind: 'availability', who: 0, to: 'cordoned' } },
];

test('a lost node is noticed and its tasks replaced, a crashed task runs again, a rollout gets on: each within its bound (I15)', async t => {
  const { violations, reached } = await simulateCluster({ seed: 4, nodes: 4, steps: STEPS });
  t.deepEqual(violations, []);
  t.true((reached.get('task made: node-lost') ?? 0) > 0);
  for (const kind of ['silent', 'down', 'standstill']) {
    t.true((reached.get(`due: ${kind}`) ?? 0) > 0, kind);
  }
});
