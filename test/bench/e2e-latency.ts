/** From the call that applies an App to its first task running, as the cluster tells it. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseManifests, readManifests } from '../../cli/manifest.ts';
import type { AppSpec } from '#model/app.ts';
import type { Bench, BenchSite, PreparedBench } from './bench.ts';
import { ClusterSite, manifest } from './cluster-site.ts';
import { figures } from './report.ts';

const PEER_LOOK_MS = 2;
/** After a removal either side cleans up what nobody waits for. */
const REST_MS = 500;

export const endToEndBench: Bench = {
  unit: 'ms', isMoreBetter: false, runs: 10,
  goals: [{ of: 'ratio.peer', atLeast: 9 }, { of: 'gantry.p50', atMost: 45 }],
  prepare: prepareEndToEnd,
};

async function prepareEndToEnd(site: BenchSite): Promise<PreparedBench> {
  await using stack = new AsyncDisposableStack();
  const both = stack.use(await ClusterSite.start(site, PEER_LOOK_MS));
  const commitMs: number[] = [];
  let count = 0;
  const applyOne = async (): Promise<number> => {
    count += 1;
    const app = appOf(`app${String(count)}`);
    const startedAt = performance.now();
    await both.client.apply({ requestId: randomUUID(), app, isDryRun: false });
    commitMs.push(performance.now() - startedAt);
    await both.runs(app.name, 1);
    const tookMs = performance.now() - startedAt;
    await both.client.deleteApp({ requestId: randomUUID(), namespace: app.namespace, app: app.name, withVolumes: false });
    await both.runs(app.name, 0);
    return tookMs;
  };
  const createOne = async (): Promise<number> => {
    const startedAt = performance.now();
    const service = await both.swarm.create(1);
    await both.swarm.runs(service, 1);
    const tookMs = performance.now() - startedAt;
    await both.swarm.remove(service);
    return tookMs;
  };
  const owned = stack.move();
  return {
    gantry: { name: 'gantry apply to running', measure: async runs => await times(runs, applyOne) },
    peer: { name: 'swarm service create to running', measure: async runs => await times(runs, createOne) },
    extra: () => Promise.resolve({ phasesMs: { commit: figures(commitMs).p50 } }),
    [Symbol.asyncDispose]: async () => { await owned.disposeAsync(); },
  };
}

function appOf(name: string): AppSpec {
  const files = [{ name: 'bench.yaml', bytes: Buffer.from(manifest(name, 1)) }];
  const { apps, problems } = readManifests(parseManifests(files, new Map()), 'default', () => new Map());
  const [first] = apps;
  if (first === undefined) throw new Error(`the bench's own manifest is refused: ${JSON.stringify(problems)}`);
  return first.app;
}

/** The first is not counted. */
async function times(runs: number, measure: () => Promise<number>): Promise<readonly number[]> {
  await measure();
  const samples: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    await sleep(REST_MS);
    samples.push(await measure());
  }
  return samples;
}
