import { setImmediate } from 'node:timers/promises';
import type { NodeId } from '#model/ids.ts';
import type { Node } from '#model/node.ts';
import type { Times } from '#model/times.ts';
import { ClusterError } from '#model/errors.ts';
import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import { countSilence, gapMs, mayAcknowledge, newCounter } from '../reconcile/liveness.ts';
import type { LivenessEvent, SilenceCounter } from '../reconcile/liveness.ts';
import { buildKey } from '../store/keys.ts';
import type { Store } from '../store/ports.ts';
import { encodeNode } from '../store/records.ts';
import type { SessionLiveness } from './agent-session-loop.ts';
import type { ClusterState, EventSink } from './ports.ts';

export interface LivenessParts {
  readonly store: Store;
  readonly state: ClusterState;
  readonly events: EventSink;
  readonly clock: Clock;
  readonly log: Logger;
  readonly times: Times;
  readonly controllerId: string;
  /** Send time of the last renewal of our own lease that etcd confirmed. */
  readonly lastRenewedMonotonicMs: () => number;
}

/** Turns in one heartbeat interval. */
const TURNS_PER_HEARTBEAT = 2;

/**
 * Counts the silence of the nodes whose sessions are this replica's, those of an earlier life too, and writes transitions: `silent` after LOST, `ready` when heard again.
 *
 * What is on record follows what was heard: a node that is heard is not silent there for long, whatever came between. A write compares the session record: once another replica holds the node's session, this one has nothing to say about it. While this
 * replica may not acknowledge, it sent its agents away itself: their silence counts from when etcd is back.
 */
export class SessionLivenessLoop implements SessionLiveness {
  readonly #parts: LivenessParts;
  readonly #counters = new Map<NodeId, SilenceCounter>();
  readonly #lastAckSent = new Map<NodeId, number>();
  readonly #due = new Map<NodeId, 'silent' | 'back'>();
  /** Monotonic ms of the last turn, or of the last heartbeat. */
  #lookedAtMs: number;

  constructor(parts: LivenessParts) {
    this.#parts = parts;
    this.#lookedAtMs = parts.clock.monotonicMs();
  }

  /** The registration made it ready: what was to be said of it before is over. */
  opened(node: NodeId): void {
    this.#due.delete(node);
    this.#lastAckSent.set(node, 0);
    this.#counters.set(node, newCounter(this.#parts.clock.monotonicMs(), false));
  }

  heard(node: NodeId, heartbeat: { readonly seq: number; readonly ackEcho: number }): boolean {
    const nowMs = this.#parts.clock.monotonicMs();
    this.#lookForGap(nowMs);
    if (!mayAcknowledge(this.#parts.lastRenewedMonotonicMs(), nowMs, this.#parts.times.leaseMs)) {
      return false;
    }
    this.#step(node, { kind: 'heartbeat', ackEcho: heartbeat.ackEcho, lastAckSent: this.#lastAckSent.get(node) ?? 0 }, nowMs);
    this.#lastAckSent.set(node, heartbeat.seq);
    return true;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, times } = this.#parts;
    const intervalMs = times.heartbeatMs / TURNS_PER_HEARTBEAT;
    for (;;) {
      await clock.sleep(intervalMs, signal);
      // What waits in the sockets is read before silence is judged.
      await setImmediate();
      const nowMs = clock.monotonicMs();
      const hasEtcd = mayAcknowledge(this.#parts.lastRenewedMonotonicMs(), nowMs, times.leaseMs);
      this.#lookForGap(nowMs);
      this.#adopt(nowMs);
      const kind = hasEtcd ? 'tick' : 'reset';
      for (const node of this.#counters.keys()) {
        this.#step(node, { kind }, nowMs);
      }
      if (hasEtcd) {
        await this.#writeDue(signal);
      }
    }
  }

  /** Sessions that an earlier life of this replica opened: its key is there again, so nobody else counts for them. */
  #adopt(nowMs: number): void {
    for (const [node, { value }] of this.#parts.state.current.sessions) {
      if (value.controllerId === this.#parts.controllerId && !this.#counters.has(node)) this.#counters.set(node, newCounter(nowMs, false));
    }
  }

  /** Of all nodes alike, before anything that came meanwhile is counted. */
  #lookForGap(nowMs: number): void {
    const { heartbeatMs, stallMs } = this.#parts.times;
    const lengthMs = gapMs(this.#lookedAtMs, nowMs, { intervalMs: heartbeatMs / TURNS_PER_HEARTBEAT, stallMs });
    this.#lookedAtMs = nowMs;
    if (lengthMs > 0) {
      for (const node of this.#counters.keys()) this.#step(node, { kind: 'gap', lengthMs }, nowMs);
    }
  }

  #step(node: NodeId, event: LivenessEvent, nowMs: number): void {
    const counter = this.#counters.get(node) ?? newCounter(nowMs, false);
    const step = countSilence(counter, event, nowMs, this.#parts.times.lostMs);
    this.#counters.set(node, step.counter);
    if (event.kind === 'reset' && this.#due.get(node) === 'silent') {
      this.#due.delete(node);
      this.#counters.set(node, { ...step.counter, isSilent: false });
    }
    if (step.transition !== undefined) {
      this.#due.set(node, step.transition);
    } else if (event.kind === 'heartbeat' && step.counter.heardAtMs === nowMs && this.#isAwayOnRecord(node)) {
      this.#due.set(node, 'back');
    }
  }

  /** Also where what this replica wrote is not what it counts: a write whose answer was lost, or that a registration came between. */
  #isAwayOnRecord(node: NodeId): boolean {
    const condition = this.#parts.state.current.nodes.get(node)?.value.condition ?? 'ready';
    return condition !== 'ready';
  }

  async #writeDue(signal: AbortSignal): Promise<void> {
    for (const [node, transition] of [...this.#due]) {
      // While another was written, it was heard or registered.
      if (this.#due.get(node) !== transition) continue;
      try {
        // What became due while it was written stays due.
        if (await this.#write(node, transition, signal) && this.#due.get(node) === transition) {
          this.#due.delete(node);
        }
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof ClusterError)) {
          throw error;
        }
        // etcd is away: the transition stays due, unless the node is heard again first.
        this.#parts.log.warn({ node, err: error }, 'a transition of a node cannot be written yet');
      }
    }
  }

  /** True when it is settled: written, or not ours to write. */
  async #write(id: NodeId, transition: 'silent' | 'back', signal: AbortSignal): Promise<boolean> {
    const snapshot = this.#parts.state.current;
    const node = snapshot.nodes.get(id);
    const session = snapshot.sessions.get(id);
    if (node === undefined || session?.value.controllerId !== this.#parts.controllerId) {
      this.#counters.delete(id);
      return true;
    }
    const condition: Node['condition'] = transition === 'silent' ? 'silent' : 'ready';
    if (node.value.condition === condition || (condition === 'silent' && node.value.condition === 'lost')) {
      return true;
    }
    const next: Node = { ...node.value, condition, conditionSinceMs: this.#parts.clock.nowMs(), isLossConfirmed: false };
    const outcome = await this.#parts.store.transact(
      [
        { kind: 'mod-revision', key: buildKey({ kind: 'session', id }), revision: session.modRevision },
        { kind: 'mod-revision', key: buildKey({ kind: 'node', id }), revision: node.modRevision },
      ],
      [{ kind: 'put', key: buildKey({ kind: 'node', id }), value: encodeNode(next) }], signal);
    await this.#parts.state.waitFor(outcome.etcdRevision, signal);
    if (outcome.kind === 'committed') {
      this.#parts.events.record([transition === 'silent'
        ? { type: 'warning', object: `node/${id}`, reason: 'NodeSilent', message: `no heartbeat for ${String(this.#parts.times.lostMs / 1000)} s` }
        : { type: 'normal', object: `node/${id}`, reason: 'NodeBack', message: 'heartbeats again' }]);
    }
    return outcome.kind === 'committed';
  }
}
