/**
 * Shows the main promises on the cluster that `npm start` made, each with what it saw.
 *
 *   npm run shows [-- NAME...] [--cluster NAME]     default: all, on the cluster `dev`
 *
 * The exit code is 0 when all hold, 1 when one does not or no cluster is up, 2 for a name that is none.
 */
import { DevCluster } from '../support/dev-cluster.ts';
import { requireNames, scriptOptions } from '../support/script-options.ts';
import { controlPlane } from './control-plane.ts';
import { exits } from './exits.ts';
import { lostNode } from './lost-node.ts';
import { requests } from './requests.ts';
import { scale } from './scale.ts';
import { shop } from './shop.ts';
import { ShowFailed } from './show.ts';
import type { Show, Stage } from './show.ts';

const SHOWS: Readonly<Record<string, Show>> = { requests, shop, scale, exits, 'control-plane': controlPlane, 'lost-node': lostNode };

function stageOf(cluster: DevCluster): Stage {
  const { url } = cluster.file;
  if (url === undefined) {
    throw new Error(`cluster ${cluster.name} is up without the example; npm start makes one with it`);
  }
  return {
    cluster, helloPort: Number(new URL(url).port),
    saw: fact => { console.log(`  ${fact}`); },
    must: (claim, isSo, found) => {
      if (!isSo) {
        throw new ShowFailed(`${claim}${found === undefined ? '' : `; found ${typeof found === 'string' ? found : JSON.stringify(found)}`}`);
      }
      console.log(`  ok: ${claim}`);
    },
  };
}

async function holds(name: string, show: Show, cluster: DevCluster): Promise<boolean> {
  const startedAtMs = performance.now();
  console.log(`${name}: ${show.about}`);
  try {
    await show.play(stageOf(cluster));
    console.log(`  holds (${((performance.now() - startedAtMs) / 1_000).toFixed(0)} s)\n`);
    return true;
  } catch (error) {
    console.log(error instanceof ShowFailed ? `  NOT SO: ${error.message}\n` : '  FAILED:');
    if (!(error instanceof ShowFailed)) {
      console.log(error);
    }
    return false;
  }
}

function attach(name: string): DevCluster {
  try {
    return DevCluster.attach(name, process.env['HOME'] ?? '/root');
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}

const USAGE = `usage: npm run shows -- [NAME...] [--cluster NAME]      default: all, on the cluster dev

${Object.entries(SHOWS).map(([name, { about }]) => `  ${name.padEnd(15)} ${about}`).join('\n')}`;
const wanted = scriptOptions(USAGE, { cluster: { type: 'string', default: 'dev' } }, ({ values, positionals }) => ({
  cluster: values.cluster, shows: requireNames('show', positionals, Object.keys(SHOWS)),
}));
const cluster = attach(wanted.cluster);
try {
  const names = wanted.shows.length > 0 ? wanted.shows : Object.keys(SHOWS);
  const held: string[] = [];
  for (const name of names) {
    const show = SHOWS[name];
    held.push(...(show !== undefined && await holds(name, show, cluster) ? [name] : []));
  }
  console.log(`${String(held.length)} of ${String(names.length)} shows hold`);
  process.exitCode = held.length === names.length ? 0 : 1;
} finally {
  cluster.leave();
}
