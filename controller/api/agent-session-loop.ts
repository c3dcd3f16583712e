import type { AssignedContent } from '#model/assignment.ts';
import { ClusterError, isRetryable } from '#model/errors.ts';
import type { NodeId, TaskId } from '#model/ids.ts';
import type { ControllerSessionEnd } from '#model/ports.ts';
import type { AgentMessage, Heartbeat, NodeHealth } from '#model/session.ts';
import type { TaskStatus } from '#model/task.ts';
import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import { innerSignal } from '#kit/inner-signal.ts';
import { FRESH_PACE, paceAfter } from '#kit/pace.ts';
import type { EndpointsLoop } from '../endpoints/endpoints-loop.ts';
import type { WithdrawalFlow } from '../endpoints/withdrawal-flow.ts';
import type { News } from '#news/ports.ts';
import type { ClusterChange } from '../store/snapshot.ts';
import { NOTHING_SENT, assignmentDelta, fullAssignment, heldBack, withContents } from './assignment-set.ts';
import type { AssignmentStep, ContentReference, SentAssignment } from './assignment-set.ts';
import { changedHealth, writeHealth } from './node-health-flow.ts';
import { SessionNews } from './session-news.ts';
import type { LiveSession, SessionTable } from './session-table.ts';
import { boundedStatus } from './status-bounds.ts';
import { writeStatuses } from './status-write-flow.ts';
import type { StatusOutcome, StatusWriter } from './status-write-flow.ts';
import { settleVolumes } from './volume-settle-flow.ts';

/** What every session of this replica shares. */
export interface SessionParts extends StatusWriter {
  readonly sessions: SessionTable;
  readonly endpoints: EndpointsLoop;
  readonly withdrawal: WithdrawalFlow;
  readonly clock: Clock;
  readonly log: Logger;
  /** Opens contents for the node that runs their users. */
  readonly contents: (contents: readonly ContentReference[], signal: AbortSignal) => Promise<readonly AssignedContent[]>;
  readonly liveness: SessionLiveness;
  readonly onTunnelRefused: (tunnelId: string, code: string, message: string) => void;
  /** Absent without `--nats`: agents send no news. */
  readonly news?: Pick<News, 'publishUsage' | 'publishEvent'> | undefined;
}

/** A burst of starts on a node is some transactions, each with a look at its service, not one for each task. */
const WRITE_PACE = { quickCount: 4, intervalMs: 40, leastMs: 0 };

/** Counted silence of this replica's sessions. */
export interface SessionLiveness {
  /** A session began: its silence counts from now. */
  opened(node: NodeId): void;
  /** A heartbeat came; false when this replica may not acknowledge now (its own lease is not confirmed): go elsewhere. */
  heard(node: NodeId, heartbeat: { readonly seq: number; readonly ackEcho: number }): boolean;
}

/**
 * One agent session after its registration: assignments and endpoints down, statuses up.
 *
 * The down side recomputes from the mirror at every change that concerns its node; the up side acknowledges each heartbeat at once and writes its statuses in
 * the background, newest per task, so that a slow etcd never delays an acknowledgement.
 */
export class AgentSessionLoop {
  readonly #parts: SessionParts;
  readonly #session: LiveSession;
  readonly #end: ControllerSessionEnd;
  readonly #waiting = new Map<TaskId, TaskStatus>();
  readonly #news: SessionNews;
  #sent: SentAssignment = NOTHING_SENT;
  #needsFull = true;
  #lastSeq = 0;
  /** As the newest heartbeat told it. */
  #volumeNews: Pick<Heartbeat, 'removedVolumes' | 'keptVolumes'> = { removedVolumes: [], keptVolumes: [] };
  #health: NodeHealth | undefined;
  #wakeSettler: () => void = () => undefined;
  #wakeWriter: () => void = () => undefined;
  #wakeSender: () => void = () => undefined;
  readonly #superseded = Promise.withResolvers<undefined>();

  constructor(parts: SessionParts, session: LiveSession, end: ControllerSessionEnd) {
    this.#parts = parts;
    this.#session = session;
    this.#end = end;
    this.#news = new SessionNews(session.node, parts);
  }

  /** Statuses that came with the registration. */
  offer(statuses: readonly TaskStatus[]): void {
    for (const status of statuses) {
      this.#waiting.set(status.id, boundedStatus(status));
    }
    this.#wakeWriter();
  }

  /** Runs until the stream ends, another session follows, or `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    using over = innerSignal(signal);
    const inner = over.signal;
    const wake = (): void => { this.#wakeWriter(); this.#wakeSender(); this.#wakeSettler(); };
    inner.addEventListener('abort', wake);
    this.#parts.endpoints.sendSet(this.#session);
    const parts = [this.#receive(), this.#sendAssignments(inner), this.#writeStatuses(inner), this.#settleNews(inner)];
    try {
      await Promise.race([this.#superseded.promise, ...parts]);
    } finally {
      over.abort(new Error('session ended'));
      await Promise.allSettled(parts.slice(1));
      inner.removeEventListener('abort', wake);
    }
  }

  /** The cluster changed in something that may concern this node. */
  changed(change: ClusterChange): void {
    if (this.#isOver()) {
      this.#superseded.resolve(undefined);
    } else if (change.nodes.has(this.#session.node) || change.kinds.has('leader') || this.#needsFull) {
      // Nothing is sent without a leader, nor to an agent of before a full set while a task cannot be read.
      this.#wakeSender();
    }
  }

  async #receive(): Promise<void> {
    for await (const message of this.#end.receive()) {
      this.#session.lastHeardMonotonicMs = this.#parts.clock.monotonicMs();
      this.#take(message);
    }
  }

  #take(message: AgentMessage): void {
    switch (message.kind) {
      case 'heartbeat': this.#takeHeartbeat(message); return;
      case 'assignment-gap': this.#needsFull = true; this.#wakeSender(); return;
      case 'endpoints-gap': this.#parts.endpoints.sendSet(this.#session); return;
      case 'tunnel-refused': this.#parts.onTunnelRefused(message.tunnelId, message.code, message.message); return;
      case 'news': this.#news.take(message); return;
      case 'unknown': return;
      case 'register': throw new ClusterError('INVALID_ARGUMENT', 'a session registers once, in its first message');
    }
  }

  #takeHeartbeat(heartbeat: Heartbeat): void {
    const foreign = heartbeat.statuses.find(status => status.node !== this.#session.node);
    if (foreign !== undefined) {
      throw new ClusterError('PERMISSION_DENIED', `status of node ${foreign.node} in message does not match certificate (${this.#session.node})`);
    }
    if (!this.#parts.liveness.heard(this.#session.node, heartbeat)) {
      this.#session.send({ kind: 'go-elsewhere', reason: 'this controller has no confirmed lease' });
      return;
    }
    this.#lastSeq = heartbeat.seq;
    this.#session.send({ kind: 'ack', seq: heartbeat.seq, settled: [] });
    this.#parts.sessions.acknowledgeEndpoints(this.#session, heartbeat.endpointsGeneration);
    this.offer(heartbeat.statuses);
    this.#volumeNews = heartbeat;
    this.#health = heartbeat.health;
    const hasVolumes = heartbeat.removedVolumes.length + heartbeat.keptVolumes.length > 0;
    if (hasVolumes || changedHealth(this.#session.node, this.#health, this.#parts.state.current) !== undefined) this.#wakeSettler();
  }

  /** The node is not on record, or its session record is not ours any more: whoever is right registers again, and one that was removed is told so then. */
  #isOver(): boolean {
    const { nodes, sessions, unreadableNodes } = this.#parts.state.current;
    const { node, sessionId } = this.#session;
    const isKnown = nodes.has(node) || unreadableNodes.has(node);
    return !isKnown || sessions.get(node)?.value.sessionId !== sessionId;
  }

  async #sendAssignments(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const woken = new Promise<void>(resolve => { this.#wakeSender = resolve; });
      await this.#sendStep(signal);
      await woken;
    }
  }

  async #sendStep(signal: AbortSignal): Promise<void> {
    const snapshot = this.#parts.state.current;
    const { node, recordRevision, takesKeptTasks } = this.#session;
    const held = heldBack(this.#parts.withdrawal.heldTasks(node, snapshot, () => { this.#wakeSender(); }), snapshot, recordRevision);
    const isFull = this.#needsFull;
    const step = isFull ? fullAssignment(snapshot, { node, takesKeptTasks }, held) : assignmentDelta(snapshot, node, this.#sent, held);
    if (step === undefined) {
      return;
    }
    const message = await this.#fill(step, signal);
    if (message === undefined) {
      return;
    }
    this.#needsFull = this.#needsFull && !isFull;
    this.#sent = step.sent;
    this.#session.send({ kind: 'assignment', assignment: message });
  }

  /** With contents; undefined while they cannot be read: the next change or the retry wakes the sender again. */
  async #fill(step: AssignmentStep, signal: AbortSignal): Promise<AssignmentStep['assignment'] | undefined> {
    try {
      return withContents(step.assignment, await this.#parts.contents(step.contents, signal));
    } catch (error) {
      signal.throwIfAborted();
      this.#parts.log.warn({ node: this.#session.node, err: error }, 'contents of an assignment cannot be read; trying again');
      void this.#parts.clock.sleep(1_000, signal).then(() => { this.#wakeSender(); }, () => undefined);
      return undefined;
    }
  }

  /** What does not get in comes again with each heartbeat until it is. */
  async #settleNews(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await new Promise<void>(resolve => { this.#wakeSettler = resolve; });
      const isOurs = await this.#settleOnce(signal).catch((error: unknown) => {
        signal.throwIfAborted();
        if (!isRetryable(error)) throw error;
        return true;
      });
      if (!isOurs) throw newerSession();
    }
  }

  /** False: another session of the node was opened. */
  async #settleOnce(signal: AbortSignal): Promise<boolean> {
    const session = { node: this.#session.node, sessionRevision: this.#session.recordRevision };
    const { removedVolumes, keptVolumes } = this.#volumeNews;
    return await writeHealth({ ...session, health: this.#health }, this.#parts, signal)
      && await settleVolumes({ ...session, removedVolumes, keptVolumes }, this.#parts, signal);
  }

  async #writeStatuses(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    let pace = FRESH_PACE;
    while (!signal.aborted) {
      const woken = new Promise<void>(resolve => { this.#wakeWriter = resolve; });
      if (this.#waiting.size === 0) {
        await woken;
        continue;
      }
      const statuses = [...this.#waiting.values()];
      this.#waiting.clear();
      await this.#writeBatch(statuses, signal);
      const next = paceAfter(pace, clock.monotonicMs(), WRITE_PACE);
      pace = next.pace;
      if (next.pauseMs > 0) await clock.sleep(next.pauseMs, signal).catch(() => { /* the loop's condition sees the signal */ });
    }
  }

  async #writeBatch(statuses: readonly TaskStatus[], signal: AbortSignal): Promise<void> {
    const batch = { node: this.#session.node, sessionRevision: this.#session.recordRevision, statuses };
    let outcome: StatusOutcome;
    try {
      outcome = await writeStatuses(batch, this.#parts, signal);
    } catch (error) {
      signal.throwIfAborted();
      // Also when it is not known whether the write landed: the next try compares the records again.
      if (!isRetryable(error)) {
        throw error;
      }
      // The agent sends again what is not settled; keep them here too, newest first, so that no wait is lost.
      for (const status of statuses) {
        if (!this.#waiting.has(status.id)) {
          this.#waiting.set(status.id, status);
        }
      }
      await this.#parts.clock.sleep(500, signal);
      return;
    }
    if (outcome.isDeposed) throw newerSession();
    this.#session.send({ kind: 'ack', seq: this.#lastSeq, settled: outcome.settled });
  }
}

function newerSession(): ClusterError {
  return new ClusterError('CONFLICT', 'a newer session of this node was opened');
}
