import { ClusterError } from '#model/errors.ts';
import { parseNodeId } from '#model/ids.ts';
import type { Peer } from '#model/ports.ts';
import type { RemovedNode } from '#model/records.ts';
import type { Store } from '../store/ports.ts';
import { requireRole } from './access.ts';
import { isCertificateRemoved, removal } from './instance-rules.ts';
import { readRemoved } from './registration-flow.ts';

/** @returns the earlier removal of the name. @throws ClusterError PERMISSION_DENIED unless the caller is a node, FAILED_PRECONDITION when its certificate was revoked */
export async function requireValidNode(peer: Peer, store: Store, signal: AbortSignal): Promise<RemovedNode | undefined> {
  requireRole(peer, 'node');
  const { removed } = await readRemoved(parseNodeId(peer.name), store, signal);
  if (isCertificateRemoved(peer, removed)) {
    throw new ClusterError('FAILED_PRECONDITION', removal(peer.name).message);
  }
  return removed;
}
