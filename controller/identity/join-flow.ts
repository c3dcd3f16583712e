/** One join: a token and a free name become a certificate. */
import { ClusterError } from '#model/errors.ts';
import { isLabel, parseNodeId } from '#model/ids.ts';
import type { NodeId } from '#model/ids.ts';
import type { JoinHandlers } from '#model/ports.ts';
import type { JoinTokenRecord } from '#model/records.ts';
import { revocationAtMs } from '../api/instance-rules.ts';
import { readRemoved } from '../api/registration-flow.ts';
import type { RemovedEntry } from '../api/registration-flow.ts';
import { buildKey } from '../store/keys.ts';
import { transactGuarded } from '../store/guarded-write-flow.ts';
import type { GuardedOutcome } from '../store/guarded-write-flow.ts';
import type { StoredValue } from '../store/ports.ts';
import { decodeJoinTokenRecord, encodeJoinTokenRecord, encodeRemovedNode } from '../store/records.ts';
import type { JoinParts } from './ports.ts';
import { MAX_TOKEN_LIFE_MS } from './token-store.ts';

type JoinRequest = Parameters<JoinHandlers['join']>[0];

/** One text for every token that is not known or over, so that a guess learns nothing. */
const REFUSAL = 'join token is not valid (any more); make one with: clusterctl token create';
/** While other joins or removals of the same name win. */
const MAX_TRIES = 4;

/**
 * The token is marked used before the certificate leaves: two joins with one token cannot both win. Only a free name joins, and the join
 * revokes every certificate that the name had before.
 */
export async function joinNode(request: JoinRequest, parts: JoinParts): ReturnType<JoinHandlers['join']> {
  if (!isLabel(request.nodeName)) {
    throw new ClusterError('INVALID_ARGUMENT', `node name ${JSON.stringify(request.nodeName.slice(0, 80))} is not an RFC 1123 label`);
  }
  const node = parseNodeId(request.nodeName);
  const revokedAtMs = await takeName(request.token, node, parts);
  return {
    certificatePem: await parts.authority.sign(request.csrPem, { role: 'node', name: node, issuedAfterMs: revokedAtMs }),
    caPem: parts.authority.caPem,
    controllers: [...parts.state.current.controllers.values()].map(record => record.value.apiAddress).sort(),
  };
}

/** @returns when the earlier certificates of the name were revoked */
async function takeName(token: string, node: NodeId, parts: JoinParts): Promise<number> {
  for (let attempt = 1; attempt <= MAX_TRIES; attempt += 1) {
    const stored = await requireToken(token, node, parts);
    const entry = await readRemoved(node, parts.store, parts.signal);
    const revokedAtMs = revocationAtMs(entry.removed, parts.clock.nowMs());
    const used: JoinTokenRecord = { ...stored.record, usedBy: node, usedAtMs: parts.clock.nowMs() };
    const outcome = await writeJoin({ stored: stored.value, used, entry, node, revokedAtMs }, parts);
    if (outcome.kind === 'committed' || (outcome.isRepeat && await isOurUse(used, stored.value.key, parts))) {
      return revokedAtMs;
    }
    if (outcome.failed.includes(buildKey({ kind: 'node', id: node }))) {
      throw nameTaken(node);
    }
  }
  throw new ClusterError('CONFLICT', `node ${node}: other joins use the same name now; try again`);
}

/** The token, not used yet, that may join under the name. @throws ClusterError UNAUTHENTICATED, FAILED_PRECONDITION */
async function requireToken(token: string, node: NodeId, parts: JoinParts): Promise<{ readonly value: StoredValue; readonly record: JoinTokenRecord }> {
  const hash = parts.tokens.hashOf(token);
  const value = hash === undefined ? undefined : await parts.store.get(buildKey({ kind: 'token', hash }), parts.signal);
  if (value === undefined) {
    throw new ClusterError('UNAUTHENTICATED', REFUSAL);
  }
  const record = decodeJoinTokenRecord(value.value);
  if (record.usedBy !== undefined) {
    throw new ClusterError('UNAUTHENTICATED', `join token already used at ${new Date(record.usedAtMs ?? 0).toISOString()} by node ${record.usedBy}`);
  }
  if (record.expiresAtMs <= parts.clock.nowMs()) {
    throw new ClusterError('UNAUTHENTICATED', REFUSAL);
  }
  if (record.node !== undefined && record.node !== node) {
    throw new ClusterError('FAILED_PRECONDITION', `join token is for node ${record.node}, not for ${node}; join as ${record.node}, or create another token: clusterctl token create`);
  }
  return { value, record };
}

interface Join {
  readonly stored: StoredValue;
  readonly used: JoinTokenRecord;
  readonly entry: RemovedEntry;
  readonly node: NodeId;
  readonly revokedAtMs: number;
}

async function writeJoin({ stored, used, entry, node, revokedAtMs }: Join, { store, signal }: JoinParts): Promise<GuardedOutcome> {
  const [nodeKey, removedKey] = [buildKey({ kind: 'node', id: node }), buildKey({ kind: 'removed-node', id: node })];
  // Only the token of `node replace` inherits the labels and taints of the node before.
  const replaced = used.node === undefined ? undefined : entry.removed?.replaced;
  const removed = { node, removedAtMs: revokedAtMs, ...(replaced === undefined ? {} : { replaced }) };
  return await transactGuarded(store, [
    { kind: 'mod-revision', key: stored.key, revision: stored.modRevision },
    { kind: 'mod-revision', key: nodeKey, revision: 0 },
    { kind: 'mod-revision', key: removedKey, revision: entry.modRevision },
  ], [
    { kind: 'put', key: stored.key, value: encodeJoinTokenRecord(used), leaseId: await store.grantLease(MAX_TOKEN_LIFE_MS) },
    { kind: 'put', key: removedKey, value: encodeRemovedNode(removed) },
  ], signal);
}

function nameTaken(node: NodeId): ClusterError {
  return new ClusterError('ALREADY_EXISTS', `node ${node} exists already; choose another name with --node, replace its machine by this one with: clusterctl node replace ${node}, or remove it with: clusterctl node rm ${node}`);
}

/** True when it was this very call that marked the token, and only the answer was lost. */
async function isOurUse(used: JoinTokenRecord, key: string, parts: JoinParts): Promise<boolean> {
  const now = await parts.store.get(key, parts.signal);
  return now !== undefined && Buffer.from(now.value).equals(encodeJoinTokenRecord(used));
}
