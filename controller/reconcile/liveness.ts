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
  /** Silence before now proves nothing: we stalled, or lost touch with etcd. */
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
    case 'reset':
      return { counter: { ...counter, heardAtMs: monotonicMs } };
  }
}

/**
 * What a turn of the listener's loop counts as: after a gap of its own of more than `stallMs` beyond the interval, messages may
 * have waited unread, so silence starts again from zero.
 */
export function turnKind(lastTurnMs: number, monotonicMs: number, times: { readonly intervalMs: number; readonly stallMs: number }): 'tick' | 'reset' {
  return monotonicMs - lastTurnMs > times.intervalMs + times.stallMs ? 'reset' : 'tick';
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
