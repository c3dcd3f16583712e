/** `schedule --gpu`: GPUs that generated traces leave idle, against the reference policies, and requests a second placed one at a time. */
import { idleByBestFit, idleByGpuPacking } from '../support/gpu-policies.ts';
import { placeGpuRequests } from '../support/gpu-placing.ts';
import { GPU_MIXES, gpuMachines, gpuRequests } from '../support/gpu-trace.ts';
import type { GpuMix } from '../support/gpu-trace.ts';
import type { BenchSite, PreparedBench } from './bench.ts';
import { rounded } from './report.ts';

const MACHINES = 300;
const DEMAND = 1.3;
const SEEDS = [1, 2, 3];

interface Trial {
  readonly ours: number;
  readonly packing: number;
  readonly bestFit: number;
  readonly perSecond: number;
}

export function prepareGpu({ tell }: BenchSite): PreparedBench {
  const mixes = new Map<string, readonly Trial[]>();
  return {
    gantry: {
      name: 'gpu requests', measure: () => {
        GPU_MIXES.forEach(mix => mixes.set(mix.name, trialsOf(mix, tell)));
        return Promise.resolve([...mixes.values()].flat().map(one => one.perSecond));
      },
    },
    goals: [{ of: 'gantry.p50', atLeast: 5_000 }, { of: 'extra.worseMixes', atMost: 0 }, { of: 'extra.worseTraces', atMost: 0 }],
    extra: () => Promise.resolve({
      ...Object.fromEntries([...mixes].map(([name, trials]) => [name, sumsOf(trials)])),
      worseMixes: [...mixes.values()].filter(trials => isWorse(sumsOf(trials))).length, worseTraces: [...mixes.values()].flat().filter(isWorse).length,
    }),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function trialsOf(mix: GpuMix, tell: BenchSite['tell']): readonly Trial[] {
  return SEEDS.map(seed => {
    const machines = gpuMachines(MACHINES, seed);
    const requests = gpuRequests(machines, mix, { demand: DEMAND, seed: seed + 20 });
    const { idleGpus, milliseconds } = placeGpuRequests(machines, requests);
    const trial = { ours: idleGpus, packing: idleByGpuPacking(machines, requests), bestFit: idleByBestFit(machines, requests), perSecond: rounded(requests.length / milliseconds * 1_000) };
    tell(`${mix.name} ${String(seed)}: ${String(trial.ours)} GPUs idle, GPU packing ${String(trial.packing)}, best fit ${String(trial.bestFit)}; ${String(trial.perSecond)} requests a second`);
    return trial;
  });
}

type Idle = Pick<Trial, 'ours' | 'packing' | 'bestFit'>;

function sumsOf(trials: readonly Trial[]): Idle {
  const sum = (of: (one: Trial) => number): number => rounded(trials.reduce((total, one) => total + of(one), 0));
  return { ours: sum(one => one.ours), packing: sum(one => one.packing), bestFit: sum(one => one.bestFit) };
}

function isWorse({ ours, packing, bestFit }: Idle): boolean {
  return ours > Math.min(packing, bestFit);
}
