import { setTimeout as sleep } from 'node:timers/promises';

const LIMIT_MS = 30_000;
const POLL_MS = 50;

/** What `look` still finds when its time is over; empty as soon as it finds nothing. What was killed or deleted may take a moment to be gone. */
export async function untilNone(look: () => readonly string[] | Promise<readonly string[]>): Promise<readonly string[]> {
  const endAtMs = performance.now() + LIMIT_MS;
  let found = await look();
  while (found.length > 0 && performance.now() < endAtMs) {
    await sleep(POLL_MS);
    found = await look();
  }
  return found;
}
