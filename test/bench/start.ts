/** One container from the call to the word that it runs, and to its collected end. */
import type { Bench, BenchSite, PreparedBench } from './bench.ts';
import { BenchNode } from './bench-node.ts';
import { requireDocker } from './docker-peer.ts';
import type { DockerPeer } from './docker-peer.ts';
import { endpointsOf, startSteps } from './bench-facts.ts';
import { rssMib } from './process-memory.ts';
import { figures, rounded } from './report.ts';

const COMMAND = ['sleep', '1000000'];
const PORT = { target: 80, published: 18_080 };
/** Of each kind of start beside the first, in turn with the peer. */
const EXTRA_RUNS = 16;
/** Starts of an agent that began anew, before it counts as warm. */
const WARM_UPS = 8;
const BALLASTS_MIB = [250, 500];

export const startBench: Bench = {
  unit: 'ms', isMoreBetter: false, runs: 12,
  goals: [
    { of: 'ratio.peer', atLeast: 8 }, { of: 'extra.ratioPublished', atLeast: 8 }, { of: 'extra.ratioToExit', atLeast: 8 }, { of: 'extra.ratioAt500MbBallast', atLeast: 7 },
  ],
  prepare: prepareStart,
};

async function prepareStart({ directory, mayInstall, tell }: BenchSite): Promise<PreparedBench> {
  await requireDocker(mayInstall);
  await using stack = new AsyncDisposableStack();
  const node = stack.use(await BenchNode.start({ directory }));
  const docker = stack.use(await node.startDocker());
  tell('agent and docker are up');
  const owned = stack.move();
  const dockerMs: number[] = [];
  return {
    gantry: { name: 'gantry', measure: async runs => await times(runs, async () => await startOne(node)) },
    peer: {
      name: 'docker API create + start',
      measure: async runs => {
        const samples = await times(runs, async () => await dockerStart(docker, node));
        dockerMs.push(...samples);
        return samples;
      },
    },
    extra: async () => await measureMore(node, docker, dockerMs, tell),
    [Symbol.asyncDispose]: async () => { await owned.disposeAsync(); },
  };
}

async function measureMore(node: BenchNode, docker: DockerPeer, dockerMs: readonly number[], tell: (line: string) => void): Promise<Readonly<Record<string, unknown>>> {
  const { stepsMs, described } = await describeOne(node);
  const published = await inTurn(async () => await startPublished(node), async () => await dockerStart(docker, node, new Map([[PORT.target, PORT.published]])));
  const toExit = await inTurn(async () => await runToEnd(node), async () => await dockerToEnd(docker, node));
  tell(`published ${JSON.stringify(published)}, create to exit ${JSON.stringify(toExit)}`);
  const rss: Record<string, number> = { plain: rssMib(node.agentPid) };
  const atBallastMs: Record<string, number> = {};
  for (const mebibytes of BALLASTS_MIB) {
    await node.stopAgent();
    await node.startAgent(mebibytes);
    await times(WARM_UPS, async () => await startOne(node));
    atBallastMs[mebibytes] = figures(await times(EXTRA_RUNS, async () => await startOne(node))).p50;
    rss[mebibytes] = rssMib(node.agentPid);
  }
  return {
    phasesMs: stepsMs, agentRssMb: rss, startMsAtBallastMb: atBallastMs, publishedMs: published, ratioPublished: published.ratio, toExitMs: toExit, ratioToExit: toExit.ratio,
    ratioAt500MbBallast: rounded(figures(dockerMs).p50 / (atBallastMs[500] ?? Infinity)), describe: described,
  };
}

async function startOne(node: BenchNode): Promise<number> {
  const task = node.task();
  const startedAt = performance.now();
  node.controller.assign([task]);
  await node.controller.reported([task.id], ({ phase }) => phase === 'running');
  const tookMs = performance.now() - startedAt;
  await node.stop([task]);
  return tookMs;
}

/** Until the node says that the port leads to the task. */
async function startPublished(node: BenchNode): Promise<number> {
  const task = node.task({ ports: [{ ...PORT, protocol: 'tcp', mode: 'ingress', allowFrom: [] }] });
  const startedAt = performance.now();
  node.controller.assign([task]);
  await node.controller.reported([task.id], ({ phase }) => phase === 'running');
  await node.controller.publish([endpointsOf(task, node.controller.status(task.id)?.address ?? '')]);
  const tookMs = performance.now() - startedAt;
  await node.controller.publish([]);
  await node.stop([task]);
  return tookMs;
}

async function runToEnd(node: BenchNode): Promise<number> {
  const task = node.task({ entrypoint: ['true'], restart: { mode: 'never', maxAttempts: 0, windowMs: 1_000, delayMs: 0 } });
  const startedAt = performance.now();
  node.controller.assign([task]);
  await node.controller.reported([task.id], ({ lastExit }) => lastExit?.code === 0);
  const tookMs = performance.now() - startedAt;
  await node.controller.reported([task.id], ({ phase }) => phase === 'complete');
  node.controller.assign([], [task.id]);
  return tookMs;
}

async function dockerStart(docker: DockerPeer, node: BenchNode, publish: ReadonlyMap<number, number> = new Map()): Promise<number> {
  const startedAt = performance.now();
  const id = await docker.run({ image: node.image.reference, command: COMMAND, publish });
  const tookMs = performance.now() - startedAt;
  await docker.remove(id);
  return tookMs;
}

async function dockerToEnd(docker: DockerPeer, node: BenchNode): Promise<number> {
  const startedAt = performance.now();
  const id = await docker.run({ image: node.image.reference, command: ['true'] });
  await docker.wait(id);
  const tookMs = performance.now() - startedAt;
  await docker.remove(id);
  return tookMs;
}

/** What a start's time goes into, on average of all so far, and proof that the container is a whole one. */
async function describeOne(node: BenchNode): Promise<{ readonly stepsMs: Readonly<Record<string, number>>; readonly described: Readonly<Record<string, unknown>> }> {
  const stepsMs = startSteps(await node.figures());
  const task = node.task();
  node.controller.assign([task]);
  await node.controller.reported([task.id], ({ phase }) => phase === 'running');
  const described = node.describe(task.id);
  await node.stop([task]);
  return { stepsMs, described };
}

async function inTurn(ours: () => Promise<number>, theirs: () => Promise<number>): Promise<{ readonly gantry: number; readonly peer: number; readonly ratio: number }> {
  const [mine, peers]: [number[], number[]] = [[], []];
  await ours();
  await theirs();
  for (let run = 0; run < EXTRA_RUNS; run += 1) {
    mine.push(await ours());
    peers.push(await theirs());
  }
  const [gantry, peer] = [figures(mine).p50, figures(peers).p50];
  return { gantry, peer, ratio: rounded(peer / gantry) };
}

/** The first is not counted. */
async function times(runs: number, measure: () => Promise<number>): Promise<readonly number[]> {
  await measure();
  const samples: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    samples.push(await measure());
  }
  return samples;
}
