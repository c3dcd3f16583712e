import { backoffMs } from '#kit/backoff.ts';
import type { Clock } from '#kit/clock.ts';
import { innerSignal } from '#kit/inner-signal.ts';
import type { InnerSignal } from '#kit/inner-signal.ts';
import type { Logger } from '#kit/logger.ts';
import { ClusterError } from '#model/errors.ts';
import { MIN_STOP_AFTER_MS } from '#model/exclusive.ts';
import type { AgentSessionEnd } from '#model/ports.ts';
import type { Assignment } from '#model/assignment.ts';
import type { AgentNews, ControllerMessage, HeartbeatAck, NodeHealth, OpenTunnel, Registered, SessionRefusal, UnknownMessage } from '#model/session.ts';
import { AssignmentKeeper } from './assignment-flow.ts';
import { knownRevision } from './assignment.ts';
import type { DesiredSet } from './assignment.ts';
import { lookAgain, mayStart, mayStartExclusive, newContact, reconnectBackoff, untilCutOffMs, withAcknowledged, withAnswer, withFullSet } from './contact.ts';
import type { Contact } from './contact.ts';
import { Doorbell } from './doorbell-flow.ts';
import { HeartbeatLoop } from './heartbeat-loop.ts';
import type { Pulse } from './heartbeat-loop.ts';
import type { Instance } from './instance-fs.ts';
import type { InstanceNames } from './instance-names.ts';
import type { ControllerDialer, DeadmanWatch, HeldAssignment, NodeFacts, SessionSink } from './ports.ts';
import { SessionEndpoints } from './session-endpoints.ts';
import type { EndpointsNews } from './session-endpoints.ts';
import type { ReportBook } from './task/report-book.ts';
import type { StartPermit } from './task/ports.ts';
import type { VolumeAnswers } from './volume/removal.ts';

export interface SessionParts {
  readonly facts: NodeFacts;
  readonly dialer: ControllerDialer;
  readonly held: HeldAssignment;
  readonly reports: ReportBook;
  readonly instance: Instance;
  readonly deadman: DeadmanWatch;
  /** What the agent cannot make of the network; empty: nothing. */
  readonly networkFault: () => string;
  /** As in Node. */
  readonly listeningPorts: () => readonly string[];
  readonly sink: SessionSink;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  /** What became of the assignment's `volumeRemovals`; another object when it changed. */
  readonly volumeAnswers: () => VolumeAnswers;
}

interface Times {
  readonly heartbeatMs: number;
  readonly lostMs: number;
}

/** One stream to one controller. */
interface OpenSession {
  readonly address: string;
  readonly end: AgentSessionEnd;
  /** Aborts when the session ends, from either side. */
  readonly signal: AbortSignal;
  readonly startedAtMs: number;
  readonly beats: HeartbeatLoop;
  readonly endpoints: SessionEndpoints;
  /** What its registration says. */
  registeredHealth?: NodeHealth;
  /** Its controller takes the health from heartbeats; undefined before the registration is accepted. */
  takesHealth?: boolean;
  /** Undefined before the registration is accepted. */
  takesNews?: boolean;
}

/** A task that a full set does not list runs on for so many LOST: a minute. Source: reliability B12 */
const UNLISTED_LOSTS = 3;
/** A session this old counts as good: the next dial starts at the first delay again. */
const GOOD_SESSION_MS = 10_000;

/**
 * Keeps one session to one of the controllers: registers, beats, takes assignments and endpoints, opens tunnels, and dials another one
 * when nothing is acknowledged for LOST.
 *
 * 1. An assignment is on disk before it is in force, and its pair never falls: until then what is new in it is made ready, and nothing of it runs; while the disk takes nothing the session goes on. 2. Without a controller all goes on as it was last
 * told, for ever. 3. The clock of the last acknowledged heartbeat starts at its sending. 4. Beats wait for no disk and no runtime.
 */
export class SessionLoop implements StartPermit {
  readonly #parts: SessionParts;
  readonly #bell = new Doorbell();
  /** Those it was given at its start: they stay, since the cluster tells of those alone whose presence it knows just then. */
  readonly #given: readonly string[];
  #controllers: readonly string[];
  #joinAddresses: readonly string[];
  #times: Times;
  readonly #assignments: AssignmentKeeper;
  #contact: Contact;
  #endpointsGeneration = 0;
  /** What the newest registration or heartbeat says; undefined before the first. */
  #health: NodeHealth | undefined;
  #current: OpenSession | undefined;
  /** Slow work of messages, in their order; acknowledgements pass it by, so that a frozen disk is no silence. */
  #slowWork: Promise<void> = Promise.resolve();
  /** Ends when the network of this session's registration is there: endpoints need that, and wait for no assignment's way to the disk. */
  #broughtUp: Promise<void> = Promise.resolve();

  /** `heardAgoMs`: what the agent before this one knew of the newest acknowledged heartbeat. */
  constructor(parts: SessionParts, start: { readonly controllers: readonly string[]; readonly joinAddresses: readonly string[]; readonly times: Times; readonly held: DesiredSet; readonly heardAgoMs?: number }) {
    this.#parts = parts;
    this.#given = start.controllers;
    this.#controllers = start.controllers;
    this.#joinAddresses = start.joinAddresses;
    this.#times = start.times;
    this.#assignments = new AssignmentKeeper({
      ...parts, onSaving: (set, kept) => { parts.sink.foreseen(set, kept); }, onKept: (set, isConfirmed) => { this.#inForce(set, isConfirmed); }, onWaiting: () => { this.poke(); },
      graceMs: () => UNLISTED_LOSTS * this.#times.lostMs,
    }, start.held);
    const nowMs = parts.clock.monotonicMs();
    const contact = newContact(nowMs, start.times);
    this.#contact = start.heardAgoMs === undefined ? contact : withAcknowledged(contact, nowMs - start.heardAgoMs);
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

  mayStart(isFirst: boolean, stopAfterMs?: number): boolean {
    const nowMs = this.#parts.clock.monotonicMs();
    return stopAfterMs === undefined ? mayStart(this.#contact, isFirst, nowMs) : mayStartExclusive(this.#contact, stopAfterMs, nowMs);
  }

  untilCutOffMs(stopAfterMs: number): number {
    return untilCutOffMs(this.#contact, stopAfterMs, this.#parts.clock.monotonicMs());
  }

  /** What the controllers know of the node's health; undefined before the first registration. */
  get health(): NodeHealth | undefined {
    return this.#health;
  }

  /** Tells the controller in the next heartbeat; an older one by a new registration. Before the first registration that has it all the same. */
  healthChanged(change: Partial<NodeHealth>): void {
    if (this.#health === undefined) return;
    this.#health = { ...this.#health, ...change };
    if (this.#current !== undefined) this.#tellHealth(this.#current);
  }

  /** Sends it where the controller wants it. @returns false without a registered session */
  sendNews(news: Omit<AgentNews, 'kind'>): boolean {
    const { takesNews, end } = this.#current ?? {};
    if (takesNews === true) end?.send({ kind: 'news', ...news });
    return takesNews !== undefined;
  }

  /** The controller of the open session, for calls beside the stream. */
  get controllerAddress(): string | undefined {
    return this.#current?.beats.isRegistered === true ? this.#current.address : undefined;
  }

  /** Join listeners of the controllers, as they were named last. */
  get joinAddresses(): readonly string[] {
    return this.#joinAddresses;
  }

  /** The assignment in force. */
  get assignment(): DesiredSet {
    return this.#assignments.held;
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
      await this.#parts.clock.sleep(backoffMs(reconnectBackoff(this.#times.lostMs), failures, this.#parts.random()), signal).catch(() => { /* the loop's condition sees the signal */ });
    }
    await watching;
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
    using ending = innerSignal(signal);
    const inner = ending.signal;
    try {
      const names = await this.#parts.instance.present();
      const end = await this.#parts.dialer.dial(address, inner);
      const startedAtMs = this.#parts.clock.monotonicMs();
      const session: OpenSession = { address, end, signal: inner, startedAtMs, beats: this.#heartbeats(end, startedAtMs), endpoints: new SessionEndpoints() };
      const reason = await this.#runSession(session, names, ending);
      this.#parts.log.info({ controller: address, reason }, 'session ended');
      return session.beats.isRegistered ? this.#parts.clock.monotonicMs() - session.startedAtMs : 0;
    } catch (error) {
      if (!signal.aborted) {
        this.#parts.log.warn({ controller: address, err: error }, 'session did not open');
      }
      return 0;
    } finally {
      ending.abort(new ClusterError('UNAVAILABLE', 'the session ended'));
    }
  }

  async #runSession(session: OpenSession, names: InstanceNames, ending: InnerSignal): Promise<string> {
    const { end } = session;
    this.#current = session;
    this.#assignments.dropUnsaved();
    const health = { hasDeadman: this.#parts.deadman.isAtWork(), networkFault: this.#parts.networkFault(), listeningPorts: this.#parts.listeningPorts() };
    this.#health = health;
    session.registeredHealth = health;
    end.send({ kind: 'register', ...this.#parts.facts, ...health, ...names, takesEndpointChanges: true, takesKeptTasks: true, statuses: this.#parts.reports.all(session.startedAtMs), knownRevision: knownRevision(this.assignment) });
    let reason = 'the controller closed it';
    const beating = session.beats.run(session.signal).catch((error: unknown) => {
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
          await this.refused(message);
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

  #heartbeats(end: AgentSessionEnd, startedAtMs: number): HeartbeatLoop {
    const pulse = (): Pulse => ({
      ...this.#times, endpointsGeneration: this.#endpointsGeneration, assignmentGeneration: this.assignment.generation,
      acknowledgedAtMs: this.#contact.acknowledgedAtMs, volumeAnswers: this.#parts.volumeAnswers(),
      health: this.#current?.takesHealth === true ? this.#health : undefined,
    });
    return new HeartbeatLoop({ clock: this.#parts.clock, reports: this.#parts.reports, bell: this.#bell, pulse, uptimeMs: () => this.#parts.deadman.uptimeMs() }, end, startedAtMs);
  }

  #take(message: Exclude<ControllerMessage, { readonly kind: 'go-elsewhere' | 'refused' }>, session: OpenSession, ending: InnerSignal): void {
    // The session has ended before what waits behind is looked at.
    const later = (work: () => Promise<void>): void => {
      const orEnd = async (): Promise<void> => {
        await work().catch((error: unknown) => {
          this.#parts.log.error({ err: error, kind: message.kind }, 'message could not be acted on');
          ending.abort(error);
        });
      };
      this.#inOrder(orEnd, session).catch(() => { /* told above */ });
    };
    switch (message.kind) {
      case 'registered':
        this.#registered(message, session);
        later(async () => {
          await this.#parts.instance.accepted(message.clusterId);
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
        this.#endpoints(session.endpoints.takeSet(message.endpoints), session);
        break;
      case 'endpoint-change':
        this.#endpoints(session.endpoints.takeChange(message.change), session);
        break;
      case 'open-tunnel':
        this.#openTunnel(message, session);
        break;
      case 'unknown':
        this.#unknown(message, session);
        break;
    }
  }

  #registered(message: Registered, session: OpenSession): void {
    this.#times = message.times;
    this.#contact = withAnswer({ ...this.#contact, lostMs: message.times.lostMs, stallMs: message.times.heartbeatMs }, false);
    this.#controllers = [...new Set([...message.controllers, ...this.#given])];
    this.#joinAddresses = message.joinAddresses;
    session.takesHealth = message.takesNodeHealth === true;
    session.takesNews = message.takesNews === true;
    session.beats.registered();
    this.#parts.log.info({ controller: session.address, session: message.sessionId }, 'registered');
    this.#tellHealth(session);
  }

  #tellHealth({ takesHealth, registeredHealth, end }: OpenSession): void {
    if (takesHealth === true) {
      this.poke();
    } else if (takesHealth === false && this.#health !== registeredHealth) {
      end.close('the health of the node has changed');
    }
  }

  /** Nothing is started any more. A node that was removed stops what it runs, as if nothing were assigned to it. */
  async refused({ code, message }: SessionRefusal): Promise<void> {
    this.#contact = withAnswer(this.#contact, true);
    this.#parts.log.error({ code, reason: message }, 'the controllers refuse this agent');
    if (code === 'FAILED_PRECONDITION' && this.assignment.tasks.size > 0) {
      await this.#slowWork;
      this.#parts.sink.desired(await this.#assignments.empty());
    }
  }

  #acknowledged(message: HeartbeatAck, session: OpenSession): void {
    const sent = session.beats.acknowledge(message.seq);
    if (sent !== undefined) {
      const wasHeld = !this.mayStart(false);
      const mayHaveCutOff = this.untilCutOffMs(MIN_STOP_AFTER_MS) <= 0;
      this.#contact = withAcknowledged(this.#contact, sent.atMs);
      this.#parts.deadman.heard(sent.uptimeMs);
      if (mayHaveCutOff) this.#parts.sink.heard();
      if (wasHeld && this.mayStart(false)) {
        this.#parts.sink.permitted();
      }
    }
    this.#parts.reports.settle(message.seq, message.settled);
  }

  async #assigned(assignment: Assignment, session: OpenSession): Promise<void> {
    const isTaken = await this.#assignments.take(assignment, {
      signal: session.signal, inOrder: work => this.#inOrder(work, session), end: why => { session.end.close(why); },
    });
    if (!isTaken) session.end.send({ kind: 'assignment-gap' });
  }

  #endpoints(news: EndpointsNews, session: OpenSession): void {
    if (news.kind === 'gap') {
      session.end.send({ kind: 'endpoints-gap' });
    } else if (news.kind === 'set') {
      this.#broughtUp = this.#broughtUp.then(() => { if (!session.signal.aborted) this.#parts.sink.endpoints(news.set); });
    }
  }

  /** After the slow work that waits, unless the session ends before. */
  async #inOrder(work: () => Promise<void>, session: OpenSession): Promise<void> {
    const done = this.#slowWork.then(async () => { await (session.signal.aborted ? undefined : work()); });
    this.#slowWork = done.catch(() => { /* told to whoever asked for it */ });
    await done;
  }

  #inForce(set: DesiredSet, isConfirmed: boolean): void {
    if (isConfirmed) {
      this.#contact = withFullSet(this.#contact, this.#parts.clock.monotonicMs());
    }
    this.#parts.sink.desired(set);
  }

  /** A newer controller: what this agent cannot do is refused where an answer is due, and ignored else. */
  #unknown({ tunnelId, reason = '' }: UnknownMessage, session: OpenSession): void {
    this.#parts.log.warn({ tunnel: tunnelId, reason }, 'a message of a newer controller is ignored');
    if (tunnelId !== undefined) {
      const message = `this agent does not know what the tunnel is for (${reason}); upgrade the agent of this node`;
      session.end.send({ kind: 'tunnel-refused', tunnelId, code: 'FAILED_PRECONDITION', message });
    }
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
