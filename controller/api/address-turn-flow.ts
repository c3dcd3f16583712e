/** One at a time takes what the cluster has once (addresses, subnets, published ports): whoever does rewrites the settings record, and compares it. */
import { ClusterError } from '#model/errors.ts';
import { buildKey } from '../store/keys.ts';
import type { Compare, Operation, Store } from '../store/ports.ts';
import type { ClusterState } from './ports.ts';

export interface AddressTurn {
  readonly compare: Compare;
  readonly operation: Operation;
}

/**
 * Reads the settings record and waits until the mirror has all that was taken before. A transaction with the turn's compare and operation
 * lands only if nobody took anything meanwhile.
 *
 * @throws ClusterError UNAVAILABLE before the first controller made the record
 */
export async function takeTurn(parts: { readonly store: Store; readonly state: ClusterState }, signal: AbortSignal): Promise<AddressTurn> {
  const settings = await parts.store.get(buildKey({ kind: 'settings' }), signal);
  if (settings === undefined) {
    throw new ClusterError('UNAVAILABLE', 'the cluster has no settings record yet');
  }
  await parts.state.waitFor(settings.modRevision, signal);
  return {
    compare: { kind: 'mod-revision', key: settings.key, revision: settings.modRevision },
    operation: { kind: 'put', key: settings.key, value: settings.value },
  };
}
