/** What is done to a simulated cluster, and when: drawn from the seed before the run, so that any part can be left out of it. */
import { Random } from './random.ts';
import type { AppName } from './sim-apps.ts';

export type Disturbance =
  | { readonly kind: 'kill-controller' | 'pause-controller' | 'kill-agent' | 'pause-agent' | 'full-disk' | 'reboot' | 'crashes'; readonly who: number }
  | { readonly kind: 'cut-node' | 'cut-node-up' | 'cut-node-down' | 'cut-controller'; readonly who: number }
  | { readonly kind: 'slow-node' | 'slow-controller'; readonly who: number; readonly delayMs: number }
  | { readonly kind: 'wall-agent' | 'wall-controller'; readonly who: number; readonly byMs: number }
  | { readonly kind: 'reset-session'; readonly who: number }
  | { readonly kind: 'pause-etcd' | 'elect-etcd' | 'restart-etcd' | 'compact-etcd' | 'lose-event' | 'kill-leader' | 'pause-leader' | 'cut-leader' | 'late-leader' }
  | { readonly kind: 'apply'; readonly app: AppName; readonly draw: number }
  | { readonly kind: OperatorCall; readonly draw: number }
  | { readonly kind: 'availability'; readonly who: number; readonly to: 'active' | 'cordoned' | 'draining' };

export type OperatorCall = 'scale' | 'restart' | 'stop-task' | 'delete-app' | 'bad-input' | 'rollout' | 'undo' | 'rebalance' | 'run-cron' | 'quota';

export interface Step {
  readonly atMs: number;
  /** Then it is undone; 0 for what is not. */
  readonly forMs: number;
  readonly what: Disturbance;
}

export interface Schedule {
  readonly seed: number;
  readonly nodes: number;
  readonly steps: readonly Step[];
}

export const CONTROLLERS = 3;
/** All faults are over by then. */
export const FAULTS_END_MS = 300_000;
export const RUN_MS = 600_000;

type Draw = (random: Random, nodes: number) => readonly [what: Disturbance, minMs: number, maxMs: number];

const node = (kind: 'kill-agent' | 'pause-agent' | 'full-disk' | 'reboot' | 'crashes' | 'cut-node' | 'cut-node-up' | 'cut-node-down', minMs: number, maxMs: number): Draw =>
  (random, nodes) => [{ kind, who: random.between(0, nodes - 1) }, minMs, maxMs];
const controller = (kind: 'kill-controller' | 'pause-controller' | 'cut-controller', minMs: number, maxMs: number): Draw =>
  random => [{ kind, who: random.between(0, CONTROLLERS - 1) }, minMs, maxMs];
const etcd = (kind: 'pause-etcd' | 'elect-etcd' | 'restart-etcd' | 'compact-etcd' | 'lose-event' | 'kill-leader' | 'pause-leader' | 'cut-leader' | 'late-leader', minMs: number, maxMs: number): Draw =>
  () => [{ kind }, minMs, maxMs];
const operator = (kind: OperatorCall): Draw => random => [{ kind, draw: random.between(0, 1e9) }, 0, 0];

/** Each with how often it comes, relative to the others. */
const DRAWS: readonly (readonly [weight: number, draw: Draw])[] = [
  [3, controller('kill-controller', 500, 20_000)], [3, controller('pause-controller', 500, 30_000)], [2, controller('cut-controller', 1_000, 40_000)],
  [3, etcd('kill-leader', 500, 20_000)], [3, etcd('pause-leader', 1_000, 40_000)], [3, etcd('cut-leader', 1_000, 40_000)], [3, etcd('late-leader', 15_000, 60_000)],
  [4, node('kill-agent', 200, 30_000)], [3, node('pause-agent', 500, 80_000)], [3, node('full-disk', 2_000, 40_000)], [2, node('reboot', 1_000, 70_000)], [2, node('crashes', 10_000, 60_000)],
  [4, node('cut-node', 1_000, 90_000)], [2, node('cut-node-up', 1_000, 80_000)], [2, node('cut-node-down', 1_000, 80_000)],
  [2, (random, nodes) => [{ kind: 'slow-node', who: random.between(0, nodes - 1), delayMs: random.between(50, 2_000) }, 5_000, 60_000]],
  [2, random => [{ kind: 'slow-controller', who: random.between(0, CONTROLLERS - 1), delayMs: random.between(50, 1_500) }, 5_000, 60_000]],
  [2, (random, nodes) => [{ kind: 'wall-agent', who: random.between(0, nodes - 1), byMs: random.between(-3_600_000, 3_600_000) }, 5_000, 60_000]],
  [2, random => [{ kind: 'wall-controller', who: random.between(0, CONTROLLERS - 1), byMs: random.between(-3_600_000, 3_600_000) }, 5_000, 60_000]],
  [3, (random, nodes) => [{ kind: 'reset-session', who: random.between(0, nodes - 1) }, 0, 0]],
  [2, etcd('pause-etcd', 500, 30_000)], [2, etcd('elect-etcd', 300, 4_000)], [2, etcd('restart-etcd', 500, 10_000)], [2, etcd('compact-etcd', 0, 0)], [2, etcd('lose-event', 0, 0)],
  [8, random => [{ kind: 'apply', app: random.pick(['shop', 'shop', 'shop', 'side', 'side', 'lab', 'lab', 'lab', 'busy', 'busy'] as const) ?? 'shop', draw: random.between(0, 1e9) }, 0, 0]],
  [5, operator('scale')], [2, operator('restart')], [3, operator('stop-task')], [1, operator('delete-app')], [1, operator('bad-input')],
  [4, operator('rollout')], [1, operator('undo')], [2, operator('rebalance')], [1, operator('run-cron')], [3, operator('quota')],
  [4, (random, nodes) => [{ kind: 'availability', who: random.between(0, nodes - 1), to: random.pick(['active', 'cordoned', 'draining'] as const) ?? 'active' }, 0, 0]],
];
const TOTAL_WEIGHT = DRAWS.reduce((sum, [weight]) => sum + weight, 0);

/** The schedule of a seed: 10 to 40 steps in the first five minutes, in the order of their times. */
export function scheduleOf(seed: number): Schedule {
  const random = new Random(seed * 2_654_435_761);
  const nodes = random.between(3, 5);
  const steps = Array.from({ length: random.between(10, 40) }, (): Step => {
    const atMs = random.between(5_000, FAULTS_END_MS - 10_000);
    const [what, minMs, maxMs] = drawOne(random)(random, nodes);
    return { atMs, what, forMs: Math.min(random.between(minMs, maxMs), FAULTS_END_MS - atMs) };
  });
  return { seed, nodes, steps: steps.sort((left, right) => left.atMs - right.atMs) };
}

function drawOne(random: Random): Draw {
  let left = random.between(1, TOTAL_WEIGHT);
  for (const [weight, draw] of DRAWS) {
    left -= weight;
    if (left <= 0) return draw;
  }
  throw new Error('weights do not add up');
}

/** One line a step, for a person who replays it. */
export function stepText({ atMs, forMs, what }: Step): string {
  const { kind, ...rest } = what;
  const given = Object.entries(rest).map(([name, value]) => ` ${name}=${String(value)}`).join('');
  return `${String(atMs).padStart(7)} ms ${kind}${given}${forMs === 0 ? '' : ` for ${String(forMs)} ms`}`;
}
