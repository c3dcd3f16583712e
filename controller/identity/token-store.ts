/** Join tokens in etcd: only hashes, each under a lease. */
import { randomUUID } from 'node:crypto';
import { ClusterError } from '#model/errors.ts';
import type { NodeId } from '#model/ids.ts';
import type { ControlHandlers } from '#model/ports.ts';
import type { JoinTokenRecord } from '#model/records.ts';
import { requireOutcome, writeOnce } from '../api/write-once-flow.ts';
import type { WriteDraft } from '../api/write-once-flow.ts';
import { buildKey } from '../store/keys.ts';
import { encodeJoinTokenRecord } from '../store/records.ts';
import type { JoinParts } from './ports.ts';

/** Longest life of a token. A used token is kept as long, to name the node that used it. */
export const MAX_TOKEN_LIFE_MS = 3_600_000;

type GivenRequest = Parameters<ControlHandlers['createToken']>[0];
type TokenRequest = GivenRequest & { readonly requestId: string };

/**
 * A new token, good for one join.
 *
 * @param node  the only name that may join with it; absent: any name that is free
 * @throws ClusterError INVALID_ARGUMENT for a life that is not allowed
 */
export async function createToken(given: GivenRequest, parts: JoinParts, node?: NodeId): ReturnType<ControlHandlers['createToken']> {
  const request: TokenRequest = { ...given, requestId: given.requestId ?? randomUUID() };
  const { ttlMs, requestId } = request;
  if (!Number.isInteger(ttlMs) || ttlMs <= 0 || ttlMs > MAX_TOKEN_LIFE_MS) {
    throw new ClusterError('INVALID_ARGUMENT', `ttl must be more than 0 and at most 1h, got ${String(ttlMs)} ms`);
  }
  const leaseId = await parts.store.grantLease(ttlMs + MAX_TOKEN_LIFE_MS);
  const outcome = requireOutcome(await writeOnce({ rpc: 'createToken', request }, parts, () => draftToken(request, { leaseId, node }, parts), parts.signal), 'token', request);
  return { token: Buffer.from(parts.sealer.open(outcome, tokenBinding(requestId))).toString('utf8'), expiresAtMs: outcome.expiresAtMs };
}

/** The record of the request keeps the token, sealed, for a repetition of the call; that of the token keeps its hash. */
function draftToken(
  { ttlMs, requestId }: TokenRequest, { leaseId, node }: { readonly leaseId: string; readonly node: NodeId | undefined }, { tokens, clock, sealer }: JoinParts,
): WriteDraft {
  const { token, hash } = tokens.make();
  const nowMs = clock.nowMs();
  const record: JoinTokenRecord = { hash, createdAtMs: nowMs, expiresAtMs: nowMs + ttlMs, ...(node === undefined ? {} : { node }) };
  const key = buildKey({ kind: 'token', hash });
  return {
    compares: [{ kind: 'mod-revision', key, revision: 0 }],
    operations: [{ kind: 'put', key, value: encodeJoinTokenRecord(record), leaseId }],
    outcome: { kind: 'token', expiresAtMs: record.expiresAtMs, keyId: sealer.keyId, ...sealer.seal(Buffer.from(token), tokenBinding(requestId)) },
  };
}

function tokenBinding(requestId: string): string {
  return `join-token/${requestId}`;
}
