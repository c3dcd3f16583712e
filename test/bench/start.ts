/** One container from the call to the word that it runs. */
import type { Bench, BenchSite, PreparedBench } from './bench.ts';
import { BenchNode } from './bench-node.ts';
import { requireDocker } from './docker-peer.ts';

const COMMAND = ['sleep', '1000000'];

export const startBench: Bench = {
  unit: 'ms', isMoreBetter: false, runs: 12,
  goals: [{ of: 'ratio.peer', atLeast: 8 }],
  prepare: prepareStart,
};

async function prepareStart({ directory, mayInstall, tell }: BenchSite): Promise<PreparedBench> {
  await requireDocker(mayInstall);
  await using stack = new AsyncDisposableStack();
  const node = stack.use(await BenchNode.start({ directory }));
  const docker = stack.use(await node.startDocker());
  tell('agent and docker are up');
  const owned = stack.move();
  return {
    gantry: { name: 'gantry', measure: async runs => await times(runs, async () => await startOne(node)) },
    peer: {
      name: 'docker API create + start',
      measure: async runs => await times(runs, async () => {
        const startedAt = performance.now();
        const id = await docker.run({ image: node.image.reference, command: COMMAND });
        const tookMs = performance.now() - startedAt;
        await docker.remove(id);
        return tookMs;
      }),
    },
    extra: () => Promise.resolve({}),
    [Symbol.asyncDispose]: async () => { await owned.disposeAsync(); },
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

/** The first is not counted. */
async function times(runs: number, measure: () => Promise<number>): Promise<readonly number[]> {
  await measure();
  const samples: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    samples.push(await measure());
  }
  return samples;
}
