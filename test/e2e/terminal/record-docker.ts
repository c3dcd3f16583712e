/**
 * Writes what docker's terminal shows: test/golden/terminal, which test/e2e/terminal.test.ts holds Gantry to.
 *
 *   node test/e2e/terminal/record-docker.ts [SCENARIO...]     default: all; needs root, docker.io and docker-cli
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DevCluster } from '../../support/dev-cluster.ts';
import { DockerDaemon } from '../../support/docker-daemon.ts';
import { dockerDialect } from './dialect.ts';
import { play } from './play.ts';
import { SCENARIOS } from './scenarios.ts';

const GOLDEN_DIR = path.join(import.meta.dirname, '../../golden/terminal');

const wanted = process.argv.slice(2);
const cluster = await DevCluster.up({ nodes: 1, controllers: 1 });
try {
  await using daemon = await DockerDaemon.start(cluster.registry);
  const image = `${cluster.registry}/hello:1`;
  await daemon.pull(image);
  mkdirSync(GOLDEN_DIR, { recursive: true });
  for (const [name, scenario] of Object.entries(SCENARIOS).filter(([one]) => wanted.length === 0 || wanted.includes(one))) {
    writeFileSync(path.join(GOLDEN_DIR, `${name}.txt`), await play(scenario, dockerDialect(daemon.socket, image)));
    console.log(name);
  }
} finally {
  console.log((await cluster.down()).join('\n'));
}
