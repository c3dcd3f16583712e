/**
 * Counted silence: what a listener knows of one node, on the listener's own monotonic clock (reliability 3).
 *
 * A node is heard when a heartbeat comes and shows that it heard us: its echo of our acknowledgements rises, or there is
 * none that it could still echo. So a link that is cut in one direction is silence for both ends.
 */
export interface SilenceCounter {
  /** Monotonic ms of the last heartbeat that showed both directions, or of the last reset. */
  readonly heardAtMs: number;
  /** Highest acknowledgement echoed in this session. */
  readonly echo: number;
  /** What etcd was told last. */
  readonly isSilent: boolean;
}

export type LivenessEvent =
  /** A session began; its sequence numbers start again. */
  | { readonly kind: 'open' }
  | { readonly kind: 'heartbeat'; readonly ackEcho: number; readonly lastAckSent: number }
  | { readonly kind: 'tick' }
  /** We stood still for so long: messages may have waited unread, so that time is no silence. What was counted before it stays. */
  | { readonly kind: 'gap'; readonly lengthMs: number }
  /** Silence before now proves nothing: we lost touch with etcd and sent the agents away. */
  | { readonly kind: 'reset' };

export interface LivenessStep {
  readonly counter: SilenceCounter;
  /** To be written to etcd; absent: nothing changed. */
  readonly transition?: 'silent' | 'back';
}

export function newCounter(monotonicMs: number, isSilent: boolean): SilenceCounter {
  return { heardAtMs: monotonicMs, echo: 0, isSilent };
}

export function countSilence(counter: SilenceCounter, event: LivenessEvent, monotonicMs: number, lostMs: number): LivenessStep {
  switch (event.kind) {
    case 'open':
      return heard({ ...counter, echo: 0 }, monotonicMs);
    case 'heartbeat': {
      const next = { ...counter, echo: Math.max(counter.echo, event.ackEcho) };
      const isHeardBothWays = event.ackEcho > counter.echo || event.ackEcho >= event.lastAckSent;
      return isHeardBothWays ? heard(next, monotonicMs) : tick(next, monotonicMs, lostMs);
    }
    case 'tick':
      return tick(counter, monotonicMs, lostMs);
    case 'gap':
      return { counter: { ...counter, heardAtMs: Math.min(monotonicMs, counter.heardAtMs + event.lengthMs) } };
    case 'reset':
      return { counter: { ...counter, heardAtMs: monotonicMs } };
  }
}

/**
 * How much of the time since the last turn of a loop counts as no silence: none of a turn that was more than `stallMs` late, else 0.
 *
 * A process that stands still for a part of the time counts in the rest of it. Silence of all of LOST that it counts so took LOST of
 * turns in which it read what came: a node that sends is heard in one of them.
 */
export function gapMs(lastTurnMs: number, monotonicMs: number, times: { readonly intervalMs: number; readonly stallMs: number }): number {
  const passedMs = monotonicMs - lastTurnMs;
  return passedMs > times.intervalMs + times.stallMs ? passedMs : 0;
}

/** Heartbeats are acknowledged only this long after the last renewal that etcd confirmed: two thirds of LEASE. */
export function mayAcknowledge(lastRenewedMs: number, monotonicMs: number, leaseMs: number): boolean {
  return monotonicMs - lastRenewedMs <= (leaseMs * 2) / 3;
}

function heard(counter: SilenceCounter, monotonicMs: number): LivenessStep {
  const next = { ...counter, heardAtMs: monotonicMs, isSilent: false };
  return counter.isSilent ? { counter: next, transition: 'back' } : { counter: next };
}

function tick(counter: SilenceCounter, monotonicMs: number, lostMs: number): LivenessStep {
  if (counter.isSilent || monotonicMs - counter.heardAtMs < lostMs) {
    return { counter };
  }
  return { counter: { ...counter, isSilent: true }, transition: 'silent' };
}
