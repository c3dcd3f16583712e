/** A person's hands on containers: what Gantry shows is byte by byte what docker shows (needs root). test/e2e/terminal/record-docker.ts says how docker was asked. */
import test from 'ava';
import { DevCluster } from '../support/dev-cluster.ts';
import { golden } from '../support/golden.ts';
import { gantryDialect } from './terminal/dialect.ts';
import type { Dialect } from './terminal/dialect.ts';
import { play } from './terminal/play.ts';
import { SCENARIOS } from './terminal/scenarios.ts';

let cluster: DevCluster;
let dialect: Dialect;

test.before(async () => {
  cluster = await DevCluster.up({ nodes: 2, controllers: 1 });
  dialect = gantryDialect(cluster.program, cluster.environment, `${cluster.registry}/hello:1`);
});

test.after.always('nothing is left', async t => { t.deepEqual(await cluster.down(), []); });

for (const [name, scenario] of Object.entries(SCENARIOS)) {
  test.serial(`${name}: as docker shows it (root)`, async t => {
    golden(t, `terminal/${name}.txt`, await play(scenario, dialect));
  });
}
