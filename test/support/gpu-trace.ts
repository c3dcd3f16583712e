/** Clusters with GPUs and streams of requests like those of public traces; seeded. */
import { Random } from '../sim/random.ts';

export interface GpuMachine {
  readonly milliCpu: number;
  readonly memoryMib: number;
  readonly gpus: number;
}

export interface GpuRequest {
  readonly milliCpu: number;
  readonly memoryMib: number;
  readonly gpus: number;
  /** Of each GPU. */
  readonly milli: number;
}

export interface GpuMix {
  readonly name: string;
  /** How often each kind comes among 100 requests; the rest asks for cpu alone. */
  readonly shares: number;
  readonly wholes: number;
  readonly multiples: number;
}

/** The last is like the public openb trace. */
export const GPU_MIXES: readonly GpuMix[] = [
  { name: 'shares', shares: 80, wholes: 10, multiples: 2 },
  { name: 'even', shares: 40, wholes: 30, multiples: 20 },
  { name: 'multiples', shares: 20, wholes: 30, multiples: 45 },
  { name: 'cpu', shares: 25, wholes: 20, multiples: 5 },
  { name: 'openb', shares: 38, wholes: 48, multiples: 1 },
];

/** How often each machine comes among 100: cores, GiB and GPUs as in the openb trace. */
const MACHINES = [[36, 96, 384, 8], [25, 104, 512, 2], [8, 16, 120, 2], [5, 128, 768, 8], [4, 32, 128, 4], [2, 8, 32, 1], [20, 32, 256, 0]] as const;
const SHARES = [125, 250, 375, 500, 625, 750, 875];

export function gpuMachines(count: number, seed: number): readonly GpuMachine[] {
  const random = new Random(seed);
  const deck = MACHINES.flatMap(([times, cores, gib, gpus]) => Array.from({ length: times }, () => ({ milliCpu: cores * 1_000, memoryMib: gib * 1_024, gpus })));
  return Array.from({ length: count }, () => random.pick(deck) ?? { milliCpu: 96_000, memoryMib: 393_216, gpus: 8 });
}

/** Requests until they ask for `demand` times the GPUs that there are. */
export function gpuRequests(machines: readonly GpuMachine[], mix: GpuMix, { demand, seed }: { readonly demand: number; readonly seed: number }): readonly GpuRequest[] {
  const random = new Random(seed);
  const wanted = machines.reduce((sum, { gpus }) => sum + gpus, 0) * demand * 1_000;
  const requests: GpuRequest[] = [];
  for (let asked = 0; asked < wanted;) {
    const one = gpuRequest(random, mix);
    requests.push(one);
    asked += one.gpus * one.milli;
  }
  return requests;
}

function gpuRequest(random: Random, { shares, wholes, multiples }: GpuMix): GpuRequest {
  const kind = random.between(0, 99);
  const sized = (gpus: number, milli: number, most: number): GpuRequest => ({ gpus, milli, milliCpu: random.between(1, most) * 1_000 * Math.max(1, gpus), memoryMib: random.between(1, most * 2) * 1_024 * Math.max(1, gpus) });
  if (kind < shares) return sized(1, random.pick(SHARES) ?? 500, 12);
  if (kind < shares + wholes) return sized(1, 1_000, 24);
  return kind < shares + wholes + multiples ? sized(random.pick([2, 4, 8]) ?? 2, 1_000, 14) : sized(0, 0, 32);
}
