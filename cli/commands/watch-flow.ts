/** Waits for the cluster to come to a state, over broken connections. */
import { isClusterError } from '#model/errors.ts';
import type { ClusterView, ListFilter } from '#model/ports.ts';
import type { Shell } from '../ports.ts';

const RETRY_MS = 500;
/** A watch that cannot be opened again for this long is given up. */
const GIVE_UP_MS = 10_000;

/** Calls `look` with each newest view until it answers something. A watch that breaks is opened again. @throws the reason of `signal` once that aborts */
export async function watchUntil<T>(
  shell: Shell, filter: ListFilter, look: (view: ClusterView) => T | undefined | Promise<T | undefined>, signal: AbortSignal = shell.signal,
): Promise<T> {
  let lastSeenMs = shell.clock.monotonicMs();
  for (;;) {
    try {
      const client = await shell.connect();
      const answer = await firstAnswer(client.watch(filter, signal), async view => {
        lastSeenMs = shell.clock.monotonicMs();
        return await look(view);
      });
      if (answer !== undefined) {
        return answer;
      }
    } catch (error) {
      signal.throwIfAborted();
      const isOver = shell.clock.monotonicMs() - lastSeenMs > GIVE_UP_MS;
      if (isOver || !(isClusterError(error, 'UNAVAILABLE') || isClusterError(error, 'RESOURCE_EXHAUSTED'))) {
        throw error;
      }
    }
    await shell.clock.sleep(RETRY_MS, signal);
  }
}

async function firstAnswer<T>(views: AsyncIterable<ClusterView>, look: (view: ClusterView) => Promise<T | undefined>): Promise<T | undefined> {
  for await (const view of views) {
    const answer = await look(view);
    if (answer !== undefined) {
      return answer;
    }
  }
  return undefined;
}
