/** How often one address may try a join token: 5 wrong ones a minute (reliability 9). */
export const MAX_WRONG_TRIES = 5;
const WINDOW_MS = 60_000;
/** Addresses remembered; the oldest is forgotten first. */
const MAX_ADDRESSES = 10_000;

/** Times of the wrong tries of each address, oldest first. */
export type WrongTries = ReadonlyMap<string, readonly number[]>;

/** Milliseconds until the address may try again; 0 when it may now. */
export function waitBeforeTry(tries: WrongTries, address: string, nowMs: number): number {
  const recent = (tries.get(address) ?? []).filter(atMs => nowMs - atMs < WINDOW_MS);
  const [first] = recent;
  return recent.length < MAX_WRONG_TRIES || first === undefined ? 0 : WINDOW_MS - (nowMs - first);
}

/** The tries with one more wrong one. */
export function addWrongTry(tries: WrongTries, address: string, nowMs: number): WrongTries {
  const recent = (tries.get(address) ?? []).filter(atMs => nowMs - atMs < WINDOW_MS);
  const next = new Map(tries);
  next.delete(address);
  next.set(address, [...recent, nowMs]);
  for (const oldest of next.keys()) {
    if (next.size <= MAX_ADDRESSES) {
      break;
    }
    next.delete(oldest);
  }
  return next;
}
