/** Who may call what: deny by default. */
import { ClusterError } from '#model/errors.ts';
import type { NodeId } from '#model/ids.ts';
import type { Peer } from '#model/ports.ts';

/** @throws ClusterError PERMISSION_DENIED unless the certificate is of that role */
export function requireRole(peer: Peer, role: Peer['role']): void {
  if (peer.role !== role) {
    throw new ClusterError('PERMISSION_DENIED', `the certificate of ${peer.role} ${peer.name} may not call this; it takes one of role ${role}`);
  }
}

/** @throws ClusterError PERMISSION_DENIED unless the certificate is that node's own */
export function requireNode(peer: Peer, node: NodeId): void {
  requireRole(peer, 'node');
  if (peer.name !== node) {
    throw new ClusterError('PERMISSION_DENIED', `node id in message (${node}) does not match certificate (${peer.name})`);
  }
}
