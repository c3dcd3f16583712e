/** Reference policies for requests of GPUs, one request at a time; they share no code with the scheduler. */
import type { GpuMachine, GpuRequest } from './gpu-trace.ts';

interface State {
  readonly machine: GpuMachine;
  milliCpu: number;
  memoryMib: number;
  readonly units: number[];
  tasks: number;
}

/** Lower is better, number by number. */
type Score = (state: State, request: GpuRequest) => readonly number[];

/** Used GPUs, then idle GPUs of used nodes, then idle nodes. */
export function idleByGpuPacking(machines: readonly GpuMachine[], requests: readonly GpuRequest[]): number {
  return idleBy(machines, requests, ({ units, machine, tasks, milliCpu }, request) => {
    if (request.gpus === 0) return [machine.gpus === 0 ? 0 : 1, tasks > 0 ? 0 : 1, milliCpu];
    const opens = chosen(units, request).some(unit => units[unit] === 1_000) && request.milli < 1_000;
    return [units.every(left => left === 1_000) ? 1 : 0, opens ? 1 : 0, total(units)];
  });
}

/** The least that is left over, each resource as a share of the largest node. */
export function idleByBestFit(machines: readonly GpuMachine[], requests: readonly GpuRequest[]): number {
  const most = (of: (machine: GpuMachine) => number): number => Math.max(1, ...machines.map(of));
  const [cpu, memory, gpus] = [most(one => one.milliCpu), most(one => one.memoryMib), most(one => one.gpus)];
  return idleBy(machines, requests, (state, request) => [
    (state.milliCpu - request.milliCpu) / cpu + (state.memoryMib - request.memoryMib) / memory + (total(state.units) - request.gpus * request.milli) / gpus / 1_000,
  ]);
}

/** GPUs that nobody has once all requests were tried. */
function idleBy(machines: readonly GpuMachine[], requests: readonly GpuRequest[], score: Score): number {
  const states = machines.map((machine): State => ({ machine, milliCpu: machine.milliCpu, memoryMib: machine.memoryMib, units: Array.from({ length: machine.gpus }, () => 1_000), tasks: 0 }));
  for (const request of requests) {
    let best: { readonly state: State; readonly rank: readonly number[] } | undefined;
    for (const state of states.filter(one => fits(one, request))) {
      const rank = score(state, request);
      best = best === undefined || isLess(rank, best.rank) ? { state, rank } : best;
    }
    if (best !== undefined) take(best.state, request);
  }
  return states.reduce((sum, { units }) => sum + total(units), 0) / 1_000;
}

function fits({ milliCpu, memoryMib, units }: State, request: GpuRequest): boolean {
  return milliCpu >= request.milliCpu && memoryMib >= request.memoryMib && units.filter(left => left >= request.milli).length >= request.gpus;
}

function take(state: State, request: GpuRequest): void {
  state.milliCpu -= request.milliCpu;
  state.memoryMib -= request.memoryMib;
  state.tasks += 1;
  for (const unit of chosen(state.units, request)) {
    state.units[unit] = (state.units[unit] ?? 0) - request.milli;
  }
}

/** The fullest that fit. */
function chosen(units: readonly number[], { gpus, milli }: GpuRequest): readonly number[] {
  return [...units.keys()].filter(unit => (units[unit] ?? 0) >= milli).sort((one, other) => (units[one] ?? 0) - (units[other] ?? 0) || one - other).slice(0, gpus);
}

function total(units: readonly number[]): number {
  return units.reduce((sum, left) => sum + left, 0);
}

function isLess(left: readonly number[], right: readonly number[]): boolean {
  const at = left.findIndex((value, index) => value !== right[index]);
  return at >= 0 && (left[at] ?? 0) < (right[at] ?? 0);
}
