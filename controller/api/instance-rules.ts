/** Which instance of an agent may hold its node's session. */
import type { Versioned } from '#model/cluster-snapshot.ts';
import type { SessionRecord } from '#model/node.ts';
import type { Peer } from '#model/ports.ts';
import type { RemovedNode } from '#model/records.ts';
import type { Registration, SessionRefusal } from '#model/session.ts';
import type { Times } from '#model/times.ts';

/**
 * Why there is no session for this registration; undefined when there may be one (reliability 4.5).
 *
 * An instance that does not know the nonce on record is a copy of an older state, unless it was told of what came after that record: then the record
 * is the older one, out of a backup. Without a record every instance is as good as another.
 */
export function judgeInstance(
  registration: Pick<Registration, 'node' | 'previousNonce' | 'nextNonce' | 'knownRevision'>, peer: Peer,
  known: { readonly session?: Pick<Versioned<SessionRecord>, 'value' | 'modRevision'>; readonly removed?: RemovedNode },
): SessionRefusal | undefined {
  const { node, previousNonce, nextNonce } = registration;
  if (isCertificateRemoved(peer, known.removed)) {
    return removal(node);
  }
  const nonce = known.session?.value.instanceNonce;
  return nonce === undefined || nonce === previousNonce || nonce === nextNonce || isOutOfBackup(registration, known.session) ? undefined : {
    kind: 'refused', code: 'PERMISSION_DENIED',
    message: `node ${node}: this agent's state is older than what the cluster knows: another copy of it registered since, or the node was joined again; join it anew (${REJOIN})`,
  };
}

/**
 * True when the session record on record is older than a registration that was accepted since: the store was restored from a backup. A copy of the
 * agent's disk knows of nothing that came after the registration which made it a copy.
 */
export function isOutOfBackup(
  { previousNonce, nextNonce, knownRevision }: Pick<Registration, 'previousNonce' | 'nextNonce' | 'knownRevision'>, session: Pick<Versioned<SessionRecord>, 'value' | 'modRevision'> | undefined,
): boolean {
  const nonce = session?.value.instanceNonce;
  return session !== undefined && nonce !== previousNonce && nonce !== nextNonce && knownRevision > session.modRevision;
}

/**
 * True while the agent of an open session was heard lately. An agent ends its session before it registers again, so while it is heard
 * any other registration is of a copy.
 */
export function isHeard(session: { readonly lastHeardMonotonicMs: number } | undefined, monotonicMs: number, times: Pick<Times, 'heartbeatMs'>): boolean {
  return session !== undefined && monotonicMs - session.lastHeardMonotonicMs <= HEARD_WITHIN_HEARTBEATS * times.heartbeatMs;
}

/** True when the peer's certificate is from before its node's removal, or says nothing of its age. */
export function isCertificateRemoved(peer: Pick<Peer, 'certifiedAtMs'>, removed: RemovedNode | undefined): boolean {
  return removed !== undefined && (peer.certifiedAtMs ?? 0) <= removed.removedAtMs;
}

/**
 * When a name's certificates are revoked now: never before one that a join of the same second issued. Certificates count in whole seconds,
 * and that of a join is dated at most a second after the revocation.
 */
export function revocationAtMs(earlier: RemovedNode | undefined, nowMs: number): number {
  return Math.max(nowMs, (earlier?.removedAtMs ?? 0) + CERTIFICATE_DATE_MS);
}

/**
 * When a removal that is decided now revokes certificates: a minute ahead. A renewal that another
 * controller signs before the removal is written is dated earlier, also by a clock that is ahead.
 */
export function removalAtMs(earlier: RemovedNode | undefined, nowMs: number): number {
  return revocationAtMs(earlier, nowMs + REMOVAL_MARGIN_MS);
}

export function removal(node: string): SessionRefusal {
  return { kind: 'refused', code: 'FAILED_PRECONDITION', message: `node ${node} was removed from the cluster; to have it back, join it again (${REJOIN})` };
}

/** Of a store that has less than the node was told of. */
export function storeWentBack(node: string, knownRevision: number, etcdRevision: number): string {
  return `the store went back: node ${node} was told of revision ${String(knownRevision)}, etcd is at ${String(etcdRevision)}; its tasks run on as they are. `
    + 'Stop the controllers and restore the backup once more with etcdutl snapshot restore --bump-revision 1000000000 --mark-compacted';
}

/** Of a store that does not know the node, and is not the one of the cluster that the node belongs to. */
export function storeIsAnother(node: string, itsCluster: string, clusterHere: string): string {
  return `the store is another one: node ${node} belongs to cluster ${itsCluster}, ${clusterHere === '' ? 'this store is of none' : `this store is of cluster ${clusterHere}`} and does not know it; its tasks run on as they are. `
    + `Put the data of etcd back, or a backup of it; to give the node to this store instead, without its volumes: gantry-agent leave, ${REJOIN}`;
}

/** Source: RFC 5280 section 4.1.2.5: times in certificates have no fractions. */
const CERTIFICATE_DATE_MS = 1_000;
/** Longer than a write may take, with the difference of two clocks. Far below the skew that certificates allow. */
const REMOVAL_MARGIN_MS = 60_000;
const HEARD_WITHIN_HEARTBEATS = 2.5;
const REJOIN = 'clusterctl token create, then gantry-agent --join TOKEN';
