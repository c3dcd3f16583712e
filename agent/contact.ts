import type { Backoff } from '#kit/backoff.ts';

/** What the agent knows of its controllers, in monotonic milliseconds; what starts and cut-offs are decided from. */
export interface Contact {
  readonly lostMs: number;
  readonly stallMs: number;
  /** Send time of the newest heartbeat that was acknowledged and showed both directions: the agent's clock always starts before the controller's (reliability 3). */
  readonly acknowledgedAtMs?: number;
  /** When a full set came that no silence of LOST has followed. */
  readonly confirmedAtMs?: number;
  /** End of the newest gap in which this process did not run (or was not there). */
  readonly stalledAtMs?: number;
  readonly lookedAtMs: number;
  /** A controller said that this agent is to start nothing; no registration was accepted since. */
  readonly isRefused?: true;
}

const RECONNECT_BACKOFF: Backoff = { firstMs: 100, maxMs: 8_000 };
/** No wait is longer than this share of LOST: an agent that was sent away is back before it counts as silent. */
const RECONNECT_LOST_SHARE = 0.5;

/** Waits between two tries to open a session. */
export function reconnectBackoff(lostMs: number): Backoff {
  return { ...RECONNECT_BACKOFF, maxMs: Math.min(RECONNECT_BACKOFF.maxMs, lostMs * RECONNECT_LOST_SHARE) };
}

/** At the start: being away is like a stall. */
export function newContact(nowMs: number, times: { readonly heartbeatMs: number; readonly lostMs: number }): Contact {
  return { lostMs: times.lostMs, stallMs: times.heartbeatMs, lookedAtMs: nowMs, stalledAtMs: nowMs };
}

/** Brings silence and stalls up to `nowMs`. To be called before anything that arrived is counted in, and each fraction of STALL. */
export function lookAgain(contact: Contact, nowMs: number): Contact {
  const looked = nowMs - contact.lookedAtMs > contact.stallMs ? { ...contact, lookedAtMs: nowMs, stalledAtMs: nowMs } : { ...contact, lookedAtMs: nowMs };
  if (contact.confirmedAtMs === undefined || !isSilent(contact, nowMs)) {
    return looked;
  }
  const { confirmedAtMs: _, ...silent } = looked;
  return silent;
}

export function withAcknowledged(contact: Contact, sentAtMs: number): Contact {
  return { ...contact, acknowledgedAtMs: Math.max(sentAtMs, contact.acknowledgedAtMs ?? sentAtMs) };
}

/** `isRefused` holds until a registration is accepted. */
export function withAnswer({ isRefused: _before, ...contact }: Contact, isRefused: boolean): Contact {
  return isRefused ? { ...contact, isRefused } : contact;
}

export function withFullSet(contact: Contact, nowMs: number): Contact {
  return { ...contact, confirmedAtMs: nowMs };
}

/**
 * May a container be started now (reliability 4.6)? A first attempt needs a full set with no silence of LOST since. A restart needs
 * nothing, unless a controller refused this agent; after a stall the word of a controller comes first, for at most LOST: the task may be somebody else's by now.
 */
export function mayStart(contact: Contact, isFirst: boolean, nowMs: number): boolean {
  const now = lookAgain(contact, nowMs);
  if (now.isRefused === true || isHeldBack(now, nowMs)) {
    return false;
  }
  return !isFirst || now.confirmedAtMs !== undefined;
}

/** The same for a task that stops itself when it is cut off: each attempt is like a first one, since the task may be replaced by now, and none begins whose time is over. */
export function mayStartExclusive(contact: Contact, stopAfterMs: number, nowMs: number): boolean {
  return mayStart(contact, true, nowMs) && untilCutOffMs(contact, stopAfterMs, nowMs) > 0;
}

/** How long a task may run yet that stops `stopAfterMs` after the sending of the last acknowledged heartbeat. Without any: no longer. */
export function untilCutOffMs({ acknowledgedAtMs }: Contact, stopAfterMs: number, nowMs: number): number {
  return acknowledgedAtMs === undefined ? 0 : acknowledgedAtMs + stopAfterMs - nowMs;
}

/** True when the newest acknowledged heartbeat (or the full set, on a new session) is LOST old. */
function isSilent(contact: Contact, nowMs: number): boolean {
  const heardAtMs = Math.max(contact.acknowledgedAtMs ?? -Infinity, contact.confirmedAtMs ?? -Infinity);
  return nowMs - heardAtMs > contact.lostMs;
}

function isHeldBack(contact: Contact, nowMs: number): boolean {
  const { stalledAtMs } = contact;
  if (stalledAtMs === undefined || nowMs - stalledAtMs > contact.lostMs) {
    return false;
  }
  const heardAtMs = Math.max(contact.acknowledgedAtMs ?? -Infinity, contact.confirmedAtMs ?? -Infinity);
  return heardAtMs < stalledAtMs;
}
