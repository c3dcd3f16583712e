import { ClusterError } from '#model/errors.ts';
import type { ClusterView } from '#model/ports.ts';
import type { Shell } from '../ports.ts';

/** A node that is silent has no say for longer. */
const ROUTED_LIMIT_MS = 5_000;

/**
 * Waits until the nodes lead requests to what `view` shows as serving, for at most 5 s; says so on standard error when some have not confirmed it by then. What the
 * view shows is so either way: a controller that cannot be asked is no failure.
 */
export async function awaitRouted(shell: Shell, { etcdRevision }: Pick<ClusterView, 'etcdRevision'>): Promise<void> {
  try {
    const client = await shell.connect();
    const { isReached } = await client.awaitRouted({ etcdRevision, timeoutMs: ROUTED_LIMIT_MS });
    if (!isReached) {
      await shell.terminal.writeError(`warning: not every node has confirmed within ${String(ROUTED_LIMIT_MS / 1_000)} s that it leads requests to the new tasks; clusterctl node ls shows who is silent\n`);
    }
  } catch (error) {
    shell.signal.throwIfAborted();
    if (!(error instanceof ClusterError)) throw error;
  }
}
