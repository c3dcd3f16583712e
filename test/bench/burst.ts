/** Many containers at once: how many a second come, and how many go. */
import type { Bench, BenchSite, PreparedBench } from './bench.ts';
import { BenchNode } from './bench-node.ts';
import { requireDocker } from './docker-peer.ts';
import type { DockerPeer } from './docker-peer.ts';
import { figures, rounded } from './report.ts';

const COMMAND = ['sleep', '1000000'];
const SMALL = 50;
const LARGE = 100;
/** Network slots that the agent keeps ready, as an operator sets it (--pool) where bursts are expected; they are made anew when the node is quiet. */
const POOL = 128;
const MS_PER_SECOND = 1_000;

interface Rates {
  readonly started: number[];
  readonly removed: number[];
}

export const burstBench: Bench = {
  unit: 'containers a second', isMoreBetter: true, runs: 1,
  goals: [{ of: 'ratio.peer', atLeast: 9 }, { of: 'extra.ratioOf100', atLeast: 9 }, { of: 'extra.ratioOfRemoval', atLeast: 8 }],
  prepare: prepareBurst,
};

async function prepareBurst({ directory, mayInstall, tell }: BenchSite): Promise<PreparedBench> {
  await requireDocker(mayInstall);
  await using stack = new AsyncDisposableStack();
  const node = stack.use(await BenchNode.start({ directory, pool: POOL }));
  const docker = stack.use(await node.startDocker());
  tell('agent and docker are up');
  const owned = stack.move();
  const [ours, theirs]: [Rates, Rates] = [{ started: [], removed: [] }, { started: [], removed: [] }];
  return {
    gantry: { name: `gantry, ${String(SMALL)} at once`, measure: async () => [await gantryBurst(node, SMALL, ours)] },
    peer: { name: `docker, ${String(SMALL)} at once`, measure: async () => [await dockerBurst(docker, node, SMALL, theirs)] },
    extra: async () => {
      const large = { gantry: rounded(await gantryBurst(node, LARGE, { started: [], removed: [] })), peer: rounded(await dockerBurst(docker, node, LARGE, { started: [], removed: [] })) };
      const removal = { gantry: figures(ours.removed).p50, peer: figures(theirs.removed).p50 };
      return {
        perSecond: figures(ours.started).p50, removePerSecond: removal.gantry, peerRemovePerSecond: removal.peer, ratioOfRemoval: rounded(removal.gantry / removal.peer),
        perSecondOf100: large.gantry, peerPerSecondOf100: large.peer, ratioOf100: rounded(large.gantry / large.peer),
      };
    },
    [Symbol.asyncDispose]: async () => { await owned.disposeAsync(); },
  };
}

async function gantryBurst(node: BenchNode, count: number, rates: Rates): Promise<number> {
  const tasks = Array.from({ length: count }, () => node.task());
  const ids = tasks.map(({ id }) => id);
  const startedAt = performance.now();
  node.controller.assign(tasks);
  await node.controller.reported(ids, ({ phase }) => phase === 'running');
  rates.started.push(perSecond(count, startedAt));
  const removedAt = performance.now();
  await node.stop(tasks);
  rates.removed.push(perSecond(count, removedAt));
  return rates.started.at(-1) ?? 0;
}

async function dockerBurst(docker: DockerPeer, node: BenchNode, count: number, rates: Rates): Promise<number> {
  const startedAt = performance.now();
  const ids = await Promise.all(Array.from({ length: count }, async () => await docker.run({ image: node.image.reference, command: COMMAND })));
  rates.started.push(perSecond(count, startedAt));
  const removedAt = performance.now();
  await Promise.all(ids.map(async id => { await docker.remove(id); }));
  rates.removed.push(perSecond(count, removedAt));
  return rates.started.at(-1) ?? 0;
}

function perSecond(count: number, sinceMs: number): number {
  return count / ((performance.now() - sinceMs) / MS_PER_SECOND);
}
