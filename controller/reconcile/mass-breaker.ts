/** Many nodes away at once is more likely our network than their death: then nothing is evicted. */
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { NodeId } from '#model/ids.ts';
import { MASS } from '#model/times.ts';

export interface MassBreaker {
  readonly isOpen: boolean;
  /** While open: since when fewer than MASS are away. */
  readonly calmSinceMs?: number;
}

export const CLOSED_BREAKER: MassBreaker = { isOpen: false };

export interface AwayNode {
  readonly node: NodeId;
  /** Monotonic ms since when it counts as away. */
  readonly sinceMs: number;
  /** False for one that was lost before the counting began: it cannot open the breaker, only keep it open. */
  readonly isNew: boolean;
}

/** The least number of `nodeCount` nodes that is a mass. */
export function massOf(nodeCount: number): number {
  return Math.max(MASS.nodes, Math.ceil(nodeCount * MASS.share));
}

/** The leader's breaker is open, or as many nodes are silent now as will open it. */
export function isMassAway({ massBreaker, nodes }: ClusterSnapshot): boolean {
  const silent = [...nodes.values()].filter(({ value }) => value.condition === 'silent' && !value.isLossConfirmed).length;
  return massBreaker !== undefined || silent >= massOf(nodes.size);
}

/** Opens when MASS nodes went away within the window; closes when fewer than MASS were away for as long. */
export function nextBreaker(
  breaker: MassBreaker, away: readonly AwayNode[], nodeCount: number, at: { readonly monotonicMs: number; readonly windowMs: number },
): MassBreaker {
  const mass = massOf(nodeCount);
  if (!breaker.isOpen) {
    const recent = away.filter(one => one.isNew && one.sinceMs > at.monotonicMs - at.windowMs).length;
    return recent >= mass ? { isOpen: true } : CLOSED_BREAKER;
  }
  if (away.length >= mass) {
    return { isOpen: true };
  }
  const calmSinceMs = breaker.calmSinceMs ?? at.monotonicMs;
  return at.monotonicMs - calmSinceMs >= at.windowMs ? CLOSED_BREAKER : { isOpen: true, calmSinceMs };
}
