/** When a node's tasks are given up: silence that the leader counted itself, behind the mass breaker. */
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { NodeId } from '#model/ids.ts';
import type { Node } from '#model/node.ts';
import type { Times } from '#model/times.ts';
import { CLOSED_BREAKER, nextBreaker } from './mass-breaker.ts';
import type { AwayNode, MassBreaker } from './mass-breaker.ts';
import type { Action, Plan, PlannedEvent } from './plan.ts';

/** Share of the nodes that may be evicted at once, at least one. */
const EVICT_SHARE = 0.01;
const OPENED = 'too many nodes are away at once: no task is replaced until they are back, removed or confirmed lost';
const CLOSED = 'lost nodes are evicted again';

/**
 * `silent`: the session's holder says so. `unknown`: no live controller holds a session, so nobody listens.
 * `lost`: was given up before this leader began to count.
 */
interface Absence {
  readonly cause: 'silent' | 'unknown' | 'lost';
  readonly sinceMs: number;
}

/**
 * What the leader counted on its own monotonic clock. It starts from nothing with each leadership: pass NO_EVIDENCE then, and every node
 * gets its full time again (I18). Time in which the leader stood still is not counted: `afterGap`.
 */
export interface NodeEvidence {
  readonly absences: ReadonlyMap<NodeId, Absence>;
  readonly breaker: MassBreaker;
  readonly lastEvictionMs?: number;
}

export const NO_EVIDENCE: NodeEvidence = { absences: new Map(), breaker: CLOSED_BREAKER };

/** The evidence once the leader stood still for `gapMs`: as if that time had not been. What it had counted before stays. */
export function afterGap({ absences, breaker, lastEvictionMs }: NodeEvidence, gapMs: number): NodeEvidence {
  const { calmSinceMs } = breaker;
  return {
    absences: new Map([...absences].map(([node, { cause, sinceMs }]) => [node, { cause, sinceMs: sinceMs + gapMs }])),
    breaker: { ...breaker, ...(calmSinceMs === undefined ? {} : { calmSinceMs: calmSinceMs + gapMs }) },
    ...(lastEvictionMs === undefined ? {} : { lastEvictionMs: lastEvictionMs + gapMs }),
  };
}

/** How long this leader has counted the node as away, beyond the LOST of silence that makes it so: below 0 while nobody has listened for LOST. */
export function awayForMs({ absences }: NodeEvidence, node: NodeId, { monotonicMs, times }: NodePlanContext): number {
  const absence = absences.get(node);
  return absence === undefined ? 0 : monotonicMs - silentSinceMs(absence, times);
}

/** When it had been silent for LOST. Whoever listened to one that is `unknown` has counted nothing that we know of. */
function silentSinceMs({ cause, sinceMs }: Absence, { lostMs }: Times): number {
  return sinceMs + (cause === 'unknown' ? lostMs : 0);
}

export interface NodePlanContext {
  readonly monotonicMs: number;
  readonly times: Times;
}

export interface NodePlan extends Plan {
  readonly evidence: NodeEvidence;
}

/**
 * Counts on from `evidence` and marks nodes `lost`: the one longest away first, one (or 1 %) per pace, none while the breaker is
 * open. A loss that an operator confirmed is believed at once.
 */
export function planNodes(snapshot: ClusterSnapshot, evidence: NodeEvidence, context: NodePlanContext): NodePlan {
  const nodes = [...snapshot.nodes.values()].map(entry => entry.value).sort((left, right) => (left.id < right.id ? -1 : 1));
  const absences = countAbsences(snapshot, nodes, evidence, context.monotonicMs);
  const { massWindowMs } = context.times;
  const before = knownBreaker(snapshot, evidence);
  const breaker = nextBreaker(before, awayNodes(nodes, absences, context), nodes.length, { monotonicMs: context.monotonicMs, windowMs: massWindowMs });
  const confirmed = nodes.filter(node => node.isLossConfirmed && node.condition === 'silent');
  const evicted = breaker.isOpen ? [] : dueNodes(nodes, { absences, ...lastOf(evidence) }, context);
  const lastEvictionMs = evicted.length > 0 ? context.monotonicMs : evidence.lastEvictionMs;
  const lost = nodes.filter(node => confirmed.includes(node) || evicted.includes(node));
  return {
    actions: [
      ...breakerActions(snapshot, breaker),
      ...lost.map((node): Action => ({ kind: 'set-node-condition', node: node.id, condition: 'lost', reason: confirmed.includes(node) ? 'loss-confirmed' : 'silence' })),
    ],
    events: [...lost.map(lostEvent), ...breakerEvents(before, breaker)],
    evidence: { absences, breaker, ...(lastEvictionMs === undefined ? {} : { lastEvictionMs }) },
  };
}

/** One that is open in etcd is open, also for a leader that has only begun to count. */
function knownBreaker({ massBreaker }: ClusterSnapshot, { breaker }: NodeEvidence): MassBreaker {
  return massBreaker !== undefined && !breaker.isOpen ? { isOpen: true } : breaker;
}

/** The record follows: other controllers show it, and the next leader goes on from it. */
function breakerActions({ massBreaker }: ClusterSnapshot, { isOpen }: MassBreaker): readonly Action[] {
  const reason = isOpen ? OPENED : CLOSED;
  return isOpen === (massBreaker !== undefined) ? [] : [{ kind: 'set-mass-breaker', isOpen, reason }];
}

function lastOf({ lastEvictionMs }: NodeEvidence): { readonly lastEvictionMs?: number } {
  return lastEvictionMs === undefined ? {} : { lastEvictionMs };
}

/** Absences of the nodes that are away now; one whose cause changed is counted anew. */
function countAbsences(snapshot: ClusterSnapshot, nodes: readonly Node[], { absences }: NodeEvidence, nowMs: number): ReadonlyMap<NodeId, Absence> {
  const next = new Map<NodeId, Absence>();
  for (const node of nodes) {
    const cause = causeOf(snapshot, node);
    if (cause !== undefined) {
      const known = absences.get(node.id);
      const goesOn = known !== undefined && (known.cause === cause || cause === 'lost');
      next.set(node.id, goesOn ? known : { cause, sinceMs: nowMs });
    }
  }
  return next;
}

/** A node that is lost already stays counted until it is heard again or removed, for the breaker. */
function causeOf(snapshot: ClusterSnapshot, node: Node): Absence['cause'] | undefined {
  if (node.condition !== 'ready') {
    return node.condition;
  }
  const session = snapshot.sessions.get(node.id)?.value;
  return session !== undefined && snapshot.controllers.has(session.controllerId) ? undefined : 'unknown';
}

/** Nodes that count against MASS: away for sure, and not confirmed as lost. */
function awayNodes(nodes: readonly Node[], absences: ReadonlyMap<NodeId, Absence>, { monotonicMs, times }: NodePlanContext): readonly AwayNode[] {
  return nodes.flatMap(node => {
    const absence = absences.get(node.id);
    if (absence === undefined || node.isLossConfirmed) {
      return [];
    }
    const sinceMs = silentSinceMs(absence, times);
    return sinceMs <= monotonicMs ? [{ node: node.id, sinceMs, isNew: absence.cause !== 'lost' }] : [];
  });
}

/** Nodes away long enough, as many as the pace allows now, longest away first. */
function dueNodes(nodes: readonly Node[], { absences, lastEvictionMs }: Pick<NodeEvidence, 'absences' | 'lastEvictionMs'>, { monotonicMs, times }: NodePlanContext): readonly Node[] {
  if (lastEvictionMs !== undefined && monotonicMs - lastEvictionMs < times.evictPaceMs) {
    return [];
  }
  const sinceOf = (node: Node): number => absences.get(node.id)?.sinceMs ?? monotonicMs;
  const due = nodes.filter(node => {
    const absence = absences.get(node.id);
    const patienceMs = times.evictMs + (absence?.cause === 'unknown' ? times.lostMs : 0);
    return node.condition !== 'lost' && absence !== undefined && monotonicMs - absence.sinceMs >= patienceMs;
  });
  return due.sort((left, right) => sinceOf(left) - sinceOf(right) || (left.id < right.id ? -1 : 1))
    .slice(0, Math.max(1, Math.floor(nodes.length * EVICT_SHARE)));
}

function lostEvent(node: Node): PlannedEvent {
  return { type: 'warning', object: `node/${node.id}`, reason: 'NodeLost', message: 'its tasks are replaced, unless their service holds them' };
}

function breakerEvents(before: MassBreaker, after: MassBreaker): readonly PlannedEvent[] {
  if (before.isOpen === after.isOpen) {
    return [];
  }
  return after.isOpen
    ? [{ type: 'warning', object: 'cluster', reason: 'MassBreakerOpened', message: OPENED }]
    : [{ type: 'normal', object: 'cluster', reason: 'MassBreakerClosed', message: CLOSED }];
}
