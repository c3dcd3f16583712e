import { backoffMs } from '#kit/backoff.ts';
import type { Backoff } from '#kit/backoff.ts';
import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import { FRESH_PACE, paceAfter } from '#kit/pace.ts';
import { ClusterError } from '#model/errors.ts';
import type { TaskId } from '#model/ids.ts';
import type { AgentSessionEnd } from '#model/ports.ts';
import type { ControllerMessage, HeartbeatAck, OpenTunnel, Registered, SessionRefusal } from '#model/session.ts';
import type { Assignment } from '#model/assignment.ts';
import type { Task } from '#model/task.ts';
import { foldAssignment } from './assignment.ts';
import type { DesiredSet } from './assignment.ts';
import { lookAgain, mayStart, newContact, withAcknowledged, withAnswer, withFullSet } from './contact.ts';
import type { Contact } from './contact.ts';
import { DISK_PRESSURE, isDiskPressure } from './disk-pressure.ts';
import { Doorbell } from './doorbell-flow.ts';
import type { Instance, InstanceNonces } from './instance-fs.ts';
import type { ControllerDialer, HeldAssignment, NodeFacts, SessionSink } from './ports.ts';
import { errorText } from './task/attempt-end.ts';
import { newRecord } from './task/record.ts';
import type { ReportBook } from './task/report-book.ts';
import { QUIET, statusOf } from './task/status.ts';
import type { StartPermit } from './task/ports.ts';

export interface SessionParts {
  readonly facts: NodeFacts;
  readonly dialer: ControllerDialer;
  readonly held: HeldAssignment;
  readonly reports: ReportBook;
  readonly instance: Instance;
  readonly sink: SessionSink;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
}

interface Times {
  readonly heartbeatMs: number;
  readonly lostMs: number;
}

/** An assignment that is not on disk. `isConfirmed`: a full set of this session is in it. */
interface Unsaved {
  readonly set: DesiredSet;
  readonly isConfirmed: boolean;
}

/** One stream to one controller. */
interface OpenSession {
  readonly address: string;
  readonly end: AgentSessionEnd;
  /** Aborts when the session ends, from either side. */
  readonly signal: AbortSignal;
  readonly startedAtMs: number;
  isRegistered: boolean;
  seq: number;
  ackedSeq: number;
  /** Send times of heartbeats not acknowledged yet, by seq. */
  readonly sentAtMs: Map<number, number>;
}

const SAVE_BACKOFF = { firstMs: 500, maxMs: 10_000 };
/** Changes this close together share a heartbeat; a burst of starts is fewer messages than starts. */
const BEAT_PACE = { quickCount: 8, intervalMs: 8, leastMs: 2 };
const RECONNECT_BACKOFF = { firstMs: 100, maxMs: 8_000 };
/** No wait is longer than this share of LOST: an agent that was sent away is back before it counts as silent. */
const RECONNECT_LOST_SHARE = 0.5;
/** A session this old counts as good: the next dial starts at the first delay again. */
const GOOD_SESSION_MS = 10_000;

/**
 * Keeps one session to one of the controllers: registers, beats, takes assignments and endpoints, opens tunnels, and dials another one
 * when nothing is acknowledged for LOST.
 *
 * 1. An assignment is on disk before anything acts on it, and its pair never falls; while the disk takes nothing the session goes on. 2. Without a controller all goes on as it was last
 * told, for ever. 3. The clock of the last acknowledged heartbeat starts at its sending. 4. Beats wait for no disk and no runtime.
 */
export class SessionLoop implements StartPermit {
  readonly #parts: SessionParts;
  readonly #bell = new Doorbell();
  #controllers: readonly string[];
  #times: Times;
  #held: DesiredSet;
  #contact: Contact;
  /** The newest assignment of this session, while the disk does not take it. */
  #unsaved: Unsaved | undefined;
  #isSavingAgain = false;
  /** Tasks of it that were told as waiting. */
  #waiting: ReadonlySet<TaskId> = new Set();
  #endpointsGeneration = 0;
  #current: OpenSession | undefined;
  /** Slow work of messages, in their order; acknowledgements pass it by, so that a frozen disk is no silence. */
  #slowWork: Promise<void> = Promise.resolve();
  /** Ends when the network of this session's registration is there: endpoints need that, and wait for no assignment's way to the disk. */
  #broughtUp: Promise<void> = Promise.resolve();

  constructor(parts: SessionParts, start: { readonly controllers: readonly string[]; readonly times: Times; readonly held: DesiredSet }) {
    this.#parts = parts;
    this.#controllers = start.controllers;
    this.#times = start.times;
    this.#held = start.held;
    this.#contact = newContact(parts.clock.monotonicMs(), start.times);
  }

  /** There is something new to say. */
  poke(): void {
    this.#bell.ring();
  }

  /** The endpoint set of this generation is in force on the node. */
  endpointsApplied(generation: number): void {
    this.#endpointsGeneration = Math.max(this.#endpointsGeneration, generation);
    this.poke();
  }

  mayStart(isFirst: boolean): boolean {
    return mayStart(this.#contact, isFirst, this.#parts.clock.monotonicMs());
  }

  /** The controller of the open session, for calls beside the stream. */
  get controllerAddress(): string | undefined {
    return this.#current?.isRegistered === true ? this.#current.address : undefined;
  }

  /** The assignment in force. */
  get assignment(): DesiredSet {
    return this.#held;
  }

  async run(signal: AbortSignal): Promise<void> {
    const watching = this.#watchStalls(signal);
    let failures = 0;
    let next = Math.floor(this.#parts.random() * this.#controllers.length);
    while (!signal.aborted) {
      const address = this.#controllers[next % this.#controllers.length] ?? '';
      next += 1;
      const lastedMs = await this.#oneSession(address, signal);
      failures = lastedMs >= GOOD_SESSION_MS ? 1 : failures + 1;
      await this.#parts.clock.sleep(backoffMs(this.#reconnectBackoff(), failures, this.#parts.random()), signal).catch(() => { /* the loop's condition sees the signal */ });
    }
    await watching;
  }

  #reconnectBackoff(): Backoff {
    return { ...RECONNECT_BACKOFF, maxMs: Math.min(RECONNECT_BACKOFF.maxMs, this.#times.lostMs * RECONNECT_LOST_SHARE) };
  }

  /** Looks at the clock more often than STALL, so that a gap in which this process did not run shows. */
  async #watchStalls(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#contact = lookAgain(this.#contact, this.#parts.clock.monotonicMs());
      await this.#parts.clock.sleep(this.#times.heartbeatMs / 4, signal).catch(() => { /* the loop's condition sees the signal */ });
    }
  }

  /** How long it lasted, in milliseconds; 0 when it never opened. */
  async #oneSession(address: string, signal: AbortSignal): Promise<number> {
    const ending = new AbortController();
    const inner = AbortSignal.any([signal, ending.signal]);
    try {
      const nonces = await this.#parts.instance.present();
      const end = await this.#parts.dialer.dial(address, inner);
      const session: OpenSession = { address, end, signal: inner, startedAtMs: this.#parts.clock.monotonicMs(), isRegistered: false, seq: 0, ackedSeq: 0, sentAtMs: new Map() };
      const reason = await this.#runSession(session, nonces, ending);
      this.#parts.log.info({ controller: address, reason }, 'session ended');
      return session.isRegistered ? this.#parts.clock.monotonicMs() - session.startedAtMs : 0;
    } catch (error) {
      if (!signal.aborted) {
        this.#parts.log.warn({ controller: address, err: error }, 'session did not open');
      }
      return 0;
    } finally {
      ending.abort(new ClusterError('UNAVAILABLE', 'the session ended'));
    }
  }

  async #runSession(session: OpenSession, nonces: InstanceNonces, ending: AbortController): Promise<string> {
    const { end } = session;
    this.#current = session;
    this.#unsaved = undefined;
    end.send({ kind: 'register', ...this.#parts.facts, ...nonces, statuses: this.#parts.reports.all(session.startedAtMs) });
    let reason = 'the controller closed it';
    const beating = this.#beat(session).catch((error: unknown) => {
      if (!session.signal.aborted) {
        reason = error instanceof Error ? error.message : String(error);
        ending.abort(error);
      }
    });
    const onAbort = (): void => { end.close(reason); };
    session.signal.addEventListener('abort', onAbort, { once: true });
    try {
      for await (const message of end.receive()) {
        this.#contact = lookAgain(this.#contact, this.#parts.clock.monotonicMs());
        if (message.kind === 'go-elsewhere') {
          reason = message.reason;
          break;
        }
        if (message.kind === 'refused') {
          reason = message.message;
          await this.#refused(message);
          break;
        }
        this.#take(message, session, ending);
      }
    } catch (error) {
      reason = session.signal.aborted ? reason : String(error instanceof Error ? error.message : error);
    } finally {
      this.#current = undefined;
      ending.abort(new ClusterError('UNAVAILABLE', 'the session ended'));
      await beating;
    }
    return reason;
  }

  /** Beats every HB, and when there is news. @throws ClusterError UNAVAILABLE when nothing was acknowledged for LOST */
  async #beat(session: OpenSession): Promise<void> {
    const { clock, reports } = this.#parts;
    let beatAtMs = -Infinity;
    let told = -1;
    let pace = FRESH_PACE;
    for (;;) {
      const beforeMs = clock.monotonicMs();
      const intervalMs = this.#times.heartbeatMs;
      const waitMs = session.isRegistered ? Math.min(beatAtMs + intervalMs - beforeMs, reports.dueInMs(beforeMs)) : intervalMs;
      await this.#bell.wait(waitMs, clock, session.signal);
      const nowMs = clock.monotonicMs();
      const heardAtMs = Math.max(this.#contact.acknowledgedAtMs ?? 0, session.startedAtMs);
      if (nowMs - heardAtMs > this.#times.lostMs) {
        throw new ClusterError('UNAVAILABLE', `nothing was acknowledged for ${String(this.#times.lostMs)} ms`);
      }
      const isDue = nowMs - beatAtMs >= intervalMs || this.#endpointsGeneration !== told || reports.dueInMs(nowMs) <= 0;
      if (session.isRegistered && isDue) {
        beatAtMs = nowMs;
        told = this.#endpointsGeneration;
        this.#sendHeartbeat(session, nowMs);
        const next = paceAfter(pace, nowMs, BEAT_PACE);
        pace = next.pace;
        await clock.sleep(next.pauseMs, session.signal);
      }
    }
  }

  #sendHeartbeat(session: OpenSession, nowMs: number): void {
    session.seq += 1;
    session.sentAtMs.set(session.seq, nowMs);
    session.end.send({
      kind: 'heartbeat',
      seq: session.seq,
      ackEcho: session.ackedSeq,
      endpointsGeneration: this.#endpointsGeneration,
      assignmentGeneration: this.#held.generation,
      statuses: this.#parts.reports.toSend(session.seq, nowMs, this.#times.heartbeatMs),
    });
  }

  #take(message: Exclude<ControllerMessage, { readonly kind: 'go-elsewhere' | 'refused' }>, session: OpenSession, ending: AbortController): void {
    const later = (work: () => Promise<void>): void => {
      this.#slowWork = this.#slowWork.then(async () => { await (session.signal.aborted ? undefined : work()); }).catch((error: unknown) => {
        this.#parts.log.error({ err: error, kind: message.kind }, 'message could not be acted on');
        ending.abort(error);
      });
    };
    switch (message.kind) {
      case 'registered':
        this.#registered(message, session);
        later(async () => {
          await this.#parts.instance.accepted();
          await this.#parts.sink.registered(message);
        });
        this.#broughtUp = this.#slowWork;
        break;
      case 'ack':
        this.#acknowledged(message, session);
        break;
      case 'assignment':
        later(async () => { await this.#assigned(message.assignment, session); });
        break;
      case 'endpoints':
        this.#broughtUp = this.#broughtUp.then(() => { if (!session.signal.aborted) this.#parts.sink.endpoints(message.endpoints); });
        break;
      case 'open-tunnel':
        this.#openTunnel(message, session);
        break;
    }
  }

  #registered(message: Registered, session: OpenSession): void {
    this.#times = message.times;
    this.#contact = withAnswer({ ...this.#contact, lostMs: message.times.lostMs, stallMs: message.times.heartbeatMs }, false);
    if (message.controllers.length > 0) {
      this.#controllers = message.controllers;
    }
    session.isRegistered = true;
    this.#parts.log.info({ controller: session.address, session: message.sessionId }, 'registered');
    this.poke();
  }

  /** Nothing is started any more. A node that was removed stops what it runs, as if nothing were assigned to it. */
  async #refused({ code, message }: SessionRefusal): Promise<void> {
    this.#contact = withAnswer(this.#contact, true);
    this.#parts.log.error({ code, reason: message }, 'the controllers refuse this agent');
    if (code === 'FAILED_PRECONDITION' && this.#held.tasks.size > 0) {
      await this.#slowWork;
      const nothing: DesiredSet = { ...this.#held, tasks: new Map(), contents: new Map() };
      await this.#parts.held.save(nothing);
      this.#held = nothing;
      this.#parts.sink.desired(nothing);
    }
  }

  #acknowledged(message: HeartbeatAck, session: OpenSession): void {
    session.ackedSeq = Math.max(session.ackedSeq, message.seq);
    const sentAtMs = session.sentAtMs.get(message.seq);
    if (sentAtMs !== undefined) {
      const wasHeld = !this.mayStart(false);
      this.#contact = withAcknowledged(this.#contact, sentAtMs);
      if (wasHeld && this.mayStart(false)) {
        this.#parts.sink.permitted();
      }
    }
    for (const seq of session.sentAtMs.keys()) {
      if (seq <= message.seq) {
        session.sentAtMs.delete(seq);
      }
    }
    this.#parts.reports.settle(message.seq, message.settled);
  }

  async #assigned(assignment: Assignment, session: OpenSession): Promise<void> {
    const folding = foldAssignment(this.#unsaved?.set ?? this.#held, assignment);
    if (folding.kind !== 'applied') {
      this.#parts.log.warn({ kind: folding.kind, reason: folding.reason }, 'assignment not taken');
      if (folding.kind === 'gap') {
        session.end.send({ kind: 'assignment-gap' });
      }
      return;
    }
    await this.#adopt({ set: folding.set, isConfirmed: assignment.kind === 'full' || this.#unsaved?.isConfirmed === true }, session);
  }

  /** Nothing acts on what the disk did not take; it is offered again, and the session goes on meanwhile. */
  async #adopt(next: Unsaved, session: OpenSession): Promise<void> {
    try {
      await this.#parts.held.save(next.set);
    } catch (error) {
      if (!isDiskPressure(error)) throw error;
      this.#parts.log.error({ err: error }, 'assignment could not be written; it is tried again');
      this.#unsaved = next;
      this.#tellWaiting([...next.set.tasks.values()].filter(({ id }) => !this.#held.tasks.has(id)), errorText(error));
      this.#saveAgain(session).catch((failure: unknown) => { if (!session.signal.aborted) session.end.close(errorText(failure)); });
      return;
    }
    this.#unsaved = undefined;
    this.#held = next.set;
    if (next.isConfirmed) {
      this.#contact = withFullSet(this.#contact, this.#parts.clock.monotonicMs());
    }
    this.#tellWaiting([], '');
    this.#parts.sink.desired(next.set);
  }

  /** Until the disk takes the newest one, or the session ends: the next one begins with a full set. */
  async #saveAgain(session: OpenSession): Promise<void> {
    if (this.#isSavingAgain) {
      return;
    }
    this.#isSavingAgain = true;
    try {
      for (let failures = 1; this.#unsaved !== undefined; failures += 1) {
        await this.#parts.clock.sleep(backoffMs(SAVE_BACKOFF, failures, 0.5 + this.#parts.random() / 2), session.signal);
        const saved = this.#slowWork.then(async () => { await (this.#unsaved === undefined || session.signal.aborted ? undefined : this.#adopt(this.#unsaved, session)); });
        this.#slowWork = saved.catch(() => { /* ends the session below */ });
        await saved;
      }
    } finally {
      this.#isSavingAgain = false;
    }
  }

  /** Tasks that came with an unsaved assignment say what they wait for; those that went with it say nothing any more. */
  #tellWaiting(tasks: readonly Task[], message: string): void {
    const { clock, facts, reports } = this.#parts;
    const waiting = new Set(tasks.map(({ id }) => id));
    const isKnown = (id: TaskId): boolean => waiting.has(id) || this.#held.tasks.has(id);
    this.#waiting.forEach(id => { if (!isKnown(id)) reports.drop(id); });
    this.#waiting = waiting;
    for (const task of tasks) {
      reports.take(statusOf(newRecord(task, 0, facts.bootId), { ...QUIET, reason: DISK_PRESSURE, message }, facts.node), clock.monotonicMs());
    }
    this.poke();
  }

  #openTunnel(message: OpenTunnel, session: OpenSession): void {
    this.#parts.sink.openTunnel(session.address, message, session.signal).catch((error: unknown) => {
      if (session.signal.aborted) {
        return;
      }
      const refusal = error instanceof ClusterError ? error : new ClusterError('INTERNAL', 'the tunnel could not be opened');
      this.#parts.log.warn({ tunnel: message.tunnelId, err: error }, 'tunnel refused');
      session.end.send({ kind: 'tunnel-refused', tunnelId: message.tunnelId, code: refusal.code, message: refusal.message });
    });
  }
}
