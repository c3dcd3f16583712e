/** Who leads: one key, created if absent under a lease. Its create revision is the epoch that every write of the leader compares. */
import { ClusterError } from '#model/errors.ts';
import type { ControllerRecord } from '#model/node.ts';
import { LEADER_KEY } from './epoch.ts';
import { AmbiguousWriteError } from './ports.ts';
import type { Store } from './ports.ts';
import { encodeControllerRecord } from './records.ts';

export interface Candidacy {
  readonly leaseId: string;
  readonly epoch: number;
}

/**
 * Takes the leadership when nobody has it; undefined when somebody has.
 *
 * An unclear answer counts as no: the lease is given up, and whatever landed goes with it.
 */
export async function tryToLead(store: Store, record: ControllerRecord, leaseMs: number, signal: AbortSignal): Promise<Candidacy | undefined> {
  if (await store.get(LEADER_KEY, signal) !== undefined) {
    return undefined;
  }
  const leaseId = await store.grantLease(leaseMs);
  try {
    const outcome = await store.transact(
      [{ kind: 'create-revision', key: LEADER_KEY, revision: 0 }],
      [{ kind: 'put', key: LEADER_KEY, value: encodeControllerRecord(record), leaseId }],
      signal,
    );
    if (outcome.kind === 'committed') {
      return { leaseId, epoch: outcome.etcdRevision };
    }
  } catch (error) {
    await giveUpLease(store, leaseId);
    if (error instanceof AmbiguousWriteError) {
      return undefined;
    }
    throw error;
  }
  await giveUpLease(store, leaseId);
  return undefined;
}

/**
 * Renews the lease and makes sure that the key is still ours: etcd 3.5.16 may acknowledge a keep-alive of a revoked lease.
 *
 * @throws ClusterError NOT_FOUND when the leadership is over, UNAVAILABLE when it is not known
 */
export async function confirmLeadership(store: Store, { leaseId, epoch }: Candidacy, signal: AbortSignal): Promise<void> {
  await store.renewLease(leaseId);
  const entry = await store.get(LEADER_KEY, signal);
  if (entry?.createRevision !== epoch) {
    throw new ClusterError('NOT_FOUND', `the leader key of epoch ${String(epoch)} is gone`);
  }
}

/** Ends a lease if etcd can be reached; else it expires. */
export async function giveUpLease(store: Store, leaseId: string): Promise<void> {
  try {
    await store.revokeLease(leaseId);
  } catch (error) {
    if (!(error instanceof ClusterError)) {
      throw error;
    }
    // Not reachable: nobody renews the lease any more, so it ends by itself.
  }
}
