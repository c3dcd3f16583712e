/** A service from 0 to 100 tasks and down to 10: a whole control plane against Swarm's. */
import { randomUUID } from 'node:crypto';
import type { ServiceId } from '#model/ids.ts';
import type { Bench, BenchSite, PreparedBench } from './bench.ts';
import { ClusterSite, manifest } from './cluster-site.ts';
import { figures, rounded } from './report.ts';

const APP = 'scale';
const MANY = 100;
const FEW = 10;
const MS_PER_SECOND = 1_000;
/** A look at 100 tasks costs the swarm something, and it takes seconds: half a look is below one in a hundred of that. */
const PEER_LOOK_MS = 25;

export const scaleBench: Bench = {
  unit: 's', isMoreBetter: false, runs: 1,
  goals: [{ of: 'ratio.peer', atLeast: 8 }, { of: 'extra.ratioDown', atLeast: 8 }],
  prepare: prepareScale,
};

async function prepareScale(site: BenchSite): Promise<PreparedBench> {
  await using stack = new AsyncDisposableStack();
  const both = stack.use(await ClusterSite.start(site, PEER_LOOK_MS));
  await both.cluster.apply(manifest(APP, 1), '--wait');
  const service = `default/${APP}/web` as ServiceId;
  const swarmService = await both.swarm.create(1);
  await both.swarm.runs(swarmService, 1);
  const ours: Steps = {
    to: async replicas => {
      await both.client.scale({ requestId: randomUUID(), service, replicas });
      await both.runs(APP, replicas);
    },
    downSeconds: [],
  };
  const theirs: Steps = {
    to: async replicas => {
      await both.swarm.scale(swarmService, replicas);
      await both.swarm.runs(swarmService, replicas);
    },
    downSeconds: [],
  };
  const owned = stack.move();
  owned.defer(async () => { await both.swarm.remove(swarmService); });
  return {
    gantry: { name: `gantry, 0 to ${String(MANY)}`, measure: async () => [await upAndDown(ours)] },
    peer: { name: `swarm, 0 to ${String(MANY)}`, measure: async () => [await upAndDown(theirs)] },
    extra: () => {
      const [gantry, peer] = [figures(ours.downSeconds).p50, figures(theirs.downSeconds).p50];
      return Promise.resolve({ downSeconds: gantry, peerDownSeconds: peer, ratioDown: rounded(peer / gantry) });
    },
    [Symbol.asyncDispose]: async () => { await owned.disposeAsync(); },
  };
}

interface Steps {
  /** Resolves when so many tasks run and the others' processes are gone. */
  readonly to: (replicas: number) => Promise<void>;
  readonly downSeconds: number[];
}

/** @returns the seconds from 0 to MANY */
async function upAndDown({ to, downSeconds }: Steps): Promise<number> {
  await to(0);
  const up = await secondsOf(async () => { await to(MANY); });
  downSeconds.push(await secondsOf(async () => { await to(FEW); }));
  await to(0);
  return up;
}

async function secondsOf(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / MS_PER_SECOND;
}
