/** Which instance of an agent may hold its node's session. */
import type { SessionRecord } from '#model/node.ts';
import type { Peer } from '#model/ports.ts';
import type { RemovedNode } from '#model/records.ts';
import type { Registration, SessionRefusal } from '#model/session.ts';
import type { Times } from '#model/times.ts';

/**
 * Why there is no session for this registration; undefined when there may be one (reliability 4.5).
 *
 * An instance that does not know the nonce on record is a copy of an older state. Without a record every instance is as good as another.
 */
export function judgeInstance(
  registration: Pick<Registration, 'node' | 'previousNonce' | 'nextNonce'>, peer: Peer,
  known: { readonly session?: SessionRecord; readonly removed?: RemovedNode },
): SessionRefusal | undefined {
  const { node, previousNonce, nextNonce } = registration;
  if (isCertificateRemoved(peer, known.removed)) {
    return removal(node);
  }
  const { session } = known;
  return session === undefined || session.instanceNonce === previousNonce || session.instanceNonce === nextNonce ? undefined : {
    kind: 'refused', code: 'PERMISSION_DENIED',
    message: `node ${node}: this agent's state is older than what the cluster knows: another copy of it registered since, or the node was joined again; join it anew (${REJOIN})`,
  };
}

/**
 * True while the agent of an open session was heard lately. An agent ends its session before it registers again, so while it is heard
 * any other registration is of a copy.
 */
export function isHeard(session: { readonly lastHeardMonotonicMs: number } | undefined, monotonicMs: number, times: Pick<Times, 'heartbeatMs'>): boolean {
  return session !== undefined && monotonicMs - session.lastHeardMonotonicMs <= HEARD_WITHIN_HEARTBEATS * times.heartbeatMs;
}

/** True when the peer's certificate is from before its node's removal, or says nothing of its age. */
export function isCertificateRemoved(peer: Peer, removed: RemovedNode | undefined): boolean {
  return removed !== undefined && (peer.certifiedAtMs ?? 0) <= removed.removedAtMs;
}

export function removal(node: string): SessionRefusal {
  return { kind: 'refused', code: 'FAILED_PRECONDITION', message: `node ${node} was removed from the cluster; to have it back, join it again (${REJOIN})` };
}

const HEARD_WITHIN_HEARTBEATS = 2.5;
const REJOIN = 'clusterctl token create, then gantry-agent --join TOKEN';
