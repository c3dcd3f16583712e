import type { Clock } from '#kit/clock.ts';
import { FRESH_PACE, paceAfter } from '#kit/pace.ts';
import { ClusterError } from '#model/errors.ts';
import type { AgentSessionEnd } from '#model/ports.ts';
import type { NodeHealth } from '#model/session.ts';
import type { Doorbell } from './doorbell-flow.ts';
import type { ReportBook } from './task/report-book.ts';
import type { VolumeAnswers } from './volume/removal.ts';

/** What a beat says besides statuses, and when the next one is due; as it is at the time of asking. */
export interface Pulse {
  readonly heartbeatMs: number;
  readonly lostMs: number;
  readonly endpointsGeneration: number;
  readonly assignmentGeneration: number;
  /** Another object when it changed. */
  readonly volumeAnswers: VolumeAnswers;
  /** Another object when it changed; undefined: the controller does not take it. */
  readonly health: NodeHealth | undefined;
  /** When the newest acknowledged beat was sent, of any session; on the monotonic clock. */
  readonly acknowledgedAtMs: number | undefined;
}

export interface HeartbeatParts {
  readonly clock: Clock;
  readonly reports: ReportBook;
  /** Rings when there is something new to say. */
  readonly bell: Doorbell;
  readonly pulse: () => Pulse;
  /** Since the boot, sleep of the machine included. */
  readonly uptimeMs: () => number;
}

interface SentBeat {
  /** Monotonic. */
  readonly atMs: number;
  readonly uptimeMs: number;
  readonly isTwoWay: boolean;
}

/** Changes this close together share a heartbeat; a burst of starts is fewer messages than starts. */
const BEAT_PACE = { quickCount: 8, intervalMs: 8, leastMs: 2 };

/** The heartbeats of one session: every HB, and when there is news. */
export class HeartbeatLoop {
  readonly #parts: HeartbeatParts;
  readonly #end: Pick<AgentSessionEnd, 'send'>;
  readonly #startedAtMs: number;
  #isRegistered = false;
  #seq = 0;
  #ackedSeq = 0;
  /** The highest echo that was sent. */
  #echoed = 0;
  /** Heartbeats not acknowledged yet, by seq. */
  readonly #sent = new Map<number, SentBeat>();

  constructor(parts: HeartbeatParts, end: Pick<AgentSessionEnd, 'send'>, startedAtMs: number) {
    this.#parts = parts;
    this.#end = end;
    this.#startedAtMs = startedAtMs;
  }

  get isRegistered(): boolean {
    return this.#isRegistered;
  }

  /** The controller answered the registration: from now on beats are sent. */
  registered(): void {
    this.#isRegistered = true;
    this.#parts.bell.ring();
  }

  /** All beats up to `seq` were heard. @returns when that one was sent; undefined when that was told before, and for one that counts as silence: it did not show that we hear */
  acknowledge(seq: number): Pick<SentBeat, 'atMs' | 'uptimeMs'> | undefined {
    this.#ackedSeq = Math.max(this.#ackedSeq, seq);
    const beat = this.#sent.get(seq);
    for (const sent of this.#sent.keys()) {
      if (sent <= seq) this.#sent.delete(sent);
    }
    return beat?.isTwoWay === true ? beat : undefined;
  }

  /** @throws ClusterError UNAVAILABLE when nothing was acknowledged for LOST */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, reports, bell, pulse } = this.#parts;
    let beatAtMs = -Infinity;
    let told = -1;
    let toldVolumes: VolumeAnswers | undefined;
    let sentHealth: NodeHealth | undefined;
    let pace = FRESH_PACE;
    for (;;) {
      await bell.wait(this.#waitMs(beatAtMs), clock, signal);
      const nowMs = clock.monotonicMs();
      const { heartbeatMs, endpointsGeneration, volumeAnswers, health } = pulse();
      this.#requireHeard(nowMs);
      const hasChanged = endpointsGeneration !== told || volumeAnswers !== toldVolumes || health !== sentHealth;
      const isDue = nowMs - beatAtMs >= heartbeatMs || hasChanged || reports.dueInMs(nowMs) <= 0;
      if (this.#isRegistered && isDue) {
        beatAtMs = nowMs;
        told = endpointsGeneration;
        toldVolumes = volumeAnswers;
        sentHealth = health;
        this.#send(nowMs);
        const next = paceAfter(pace, nowMs, BEAT_PACE);
        pace = next.pace;
        await clock.sleep(next.pauseMs, signal);
      }
    }
  }

  #waitMs(beatAtMs: number): number {
    const nowMs = this.#parts.clock.monotonicMs();
    const { heartbeatMs } = this.#parts.pulse();
    return this.#isRegistered ? Math.min(beatAtMs + heartbeatMs - nowMs, this.#parts.reports.dueInMs(nowMs)) : heartbeatMs;
  }

  #requireHeard(nowMs: number): void {
    const { lostMs, acknowledgedAtMs } = this.#parts.pulse();
    if (nowMs - Math.max(acknowledgedAtMs ?? 0, this.#startedAtMs) > lostMs) {
      throw new ClusterError('UNAVAILABLE', `nothing was acknowledged for ${String(lostMs)} ms`);
    }
  }

  #send(nowMs: number): void {
    const { endpointsGeneration, assignmentGeneration, heartbeatMs, volumeAnswers, health } = this.#parts.pulse();
    this.#seq += 1;
    // So the controller counts it for sure, whatever it has seen of the beats before (controller/reconcile/liveness.ts).
    const isTwoWay = this.#ackedSeq > this.#echoed || this.#ackedSeq >= this.#seq - 1;
    this.#echoed = this.#ackedSeq;
    this.#sent.set(this.#seq, { atMs: nowMs, uptimeMs: this.#parts.uptimeMs(), isTwoWay });
    this.#end.send({
      kind: 'heartbeat', seq: this.#seq, ackEcho: this.#ackedSeq, endpointsGeneration, assignmentGeneration,
      statuses: this.#parts.reports.toSend(this.#seq, nowMs, heartbeatMs), ...volumeAnswers,
      ...(health === undefined ? {} : { health }),
    });
  }
}
