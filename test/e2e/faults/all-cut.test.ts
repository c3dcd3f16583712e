import test from 'ava';
import { webApp } from '../../support/fault-apps.ts';
import { FaultBench, lasting } from '../../support/fault-bench.ts';

/** LOST of `--times test`. */
const LOST_MS = 4_000;

test.serial('D6: all agents cut off for 15 x LOST: the mass breaker opens, nothing is replaced, nothing restarts after (root)', async t => {
  const bench = await FaultBench.up();
  try {
    await bench.cluster.apply(webApp({ port: 18_234, replicas: 3 }), '--wait');
    const revision = await bench.settled();
    const before = bench.pictures();
    for (const { name } of bench.cluster.layout.nodes) {
      await bench.cut(name);
    }
    await lasting(15 * LOST_MS);
    t.deepEqual(bench.pictures(), before);
    const absences = await bench.absencesSince(revision);
    t.deepEqual(absences, ['n1 silent', 'n2 silent', 'n3 silent']);
    t.regex((await bench.cluster.tryCtl('node', 'ls')).stderr, /mass breaker is open/);
    await bench.heal();
    await bench.heard();
    await bench.settled();
    t.deepEqual(bench.pictures(), before);
    t.deepEqual(await bench.tasksSince(revision), []);
    t.deepEqual(await bench.violations(), []);
  } finally {
    t.deepEqual(await bench.close(), []);
  }
});
