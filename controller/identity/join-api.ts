/** Join tokens into node certificates, and their renewal. */
import { randomUUID } from 'node:crypto';
import { ClusterError } from '#model/errors.ts';
import { isLabel, parseNodeId } from '#model/ids.ts';
import type { NodeId } from '#model/ids.ts';
import type { AgentHandlers, ControlHandlers, JoinHandlers } from '#model/ports.ts';
import type { JoinTokenRecord } from '#model/records.ts';
import { requireRole } from '../api/access.ts';
import { isCertificateRemoved, removal } from '../api/instance-rules.ts';
import { readRemoved } from '../api/registration-flow.ts';
import type { SecretSealer } from '../api/ports.ts';
import { requireOutcome, writeOnce } from '../api/write-once-flow.ts';
import type { WriteDraft, WriteParts } from '../api/write-once-flow.ts';
import { decodeJoinTokenRecord, encodeJoinTokenRecord, encodeSessionRecord } from '../store/records.ts';
import { transactGuarded } from '../store/guarded-write-flow.ts';
import { buildKey } from '../store/keys.ts';
import type { Operation, StoredValue } from '../store/ports.ts';
import type { CertificateAuthority, JoinTokens } from './ports.ts';
import { addWrongTry, waitBeforeTry } from './try-limit.ts';
import type { WrongTries } from './try-limit.ts';

export interface JoinParts extends WriteParts {
  readonly sealer: SecretSealer;
  readonly authority: CertificateAuthority;
  readonly tokens: JoinTokens;
  readonly signal: AbortSignal;
}

type TokenRequest = Parameters<ControlHandlers['createToken']>[0] & { readonly requestId: string };
type IdentityHandlers = JoinHandlers & Pick<AgentHandlers, 'renew'> & Pick<ControlHandlers, 'createToken'>;

/** Source: reliability.md 9, "Join tokens". */
const MAX_TOKEN_LIFE_MS = 3_600_000;
/** One text for every token that is not known or over, so that a guess learns nothing. */
const REFUSAL = 'join token is not valid (any more); make one with: clusterctl token create';

export function createIdentityApi(parts: JoinParts): IdentityHandlers {
  let tries: WrongTries = new Map();
  return {
    async join(request, remoteAddress) {
      const nowMs = parts.clock.nowMs();
      const waitMs = waitBeforeTry(tries, remoteAddress, nowMs);
      if (waitMs > 0) {
        throw new ClusterError('RESOURCE_EXHAUSTED', `too many wrong join tokens from ${remoteAddress}; try again in ${String(Math.ceil(waitMs / 1000))} s`);
      }
      try {
        return await joinNode(request, parts);
      } catch (error) {
        if (error instanceof ClusterError && error.code === 'UNAUTHENTICATED') {
          tries = addWrongTry(tries, remoteAddress, nowMs);
        }
        throw error;
      }
    },
    async renew(csrPem, peer) {
      requireRole(peer, 'node');
      const { removed } = await readRemoved(parseNodeId(peer.name), parts.store, parts.signal);
      if (isCertificateRemoved(peer, removed)) {
        throw new ClusterError('FAILED_PRECONDITION', removal(peer.name).message);
      }
      return { certificatePem: await parts.authority.sign(csrPem, { role: 'node', name: peer.name }), caPem: parts.authority.caPem };
    },
    async createToken(request, peer) {
      requireRole(peer, 'operator');
      return await createToken(request, parts);
    },
  };
}

async function createToken(given: Parameters<ControlHandlers['createToken']>[0], parts: JoinParts): ReturnType<ControlHandlers['createToken']> {
  const request: TokenRequest = { ...given, requestId: given.requestId ?? randomUUID() };
  const { ttlMs, requestId } = request;
  if (!Number.isInteger(ttlMs) || ttlMs <= 0 || ttlMs > MAX_TOKEN_LIFE_MS) {
    throw new ClusterError('INVALID_ARGUMENT', `ttl must be more than 0 and at most 1h, got ${String(ttlMs)} ms`);
  }
  const leaseId = await parts.store.grantLease(ttlMs + MAX_TOKEN_LIFE_MS);
  const outcome = requireOutcome(await writeOnce({ rpc: 'createToken', request }, parts, () => draftToken(request, leaseId, parts), parts.signal), 'token', request);
  return { token: Buffer.from(parts.sealer.open(outcome, tokenBinding(requestId))).toString('utf8'), expiresAtMs: outcome.expiresAtMs };
}

/** The record of the request keeps the token, sealed, for a repetition of the call; that of the token keeps its hash. */
function draftToken({ ttlMs, requestId }: TokenRequest, leaseId: string, { tokens, clock, sealer }: JoinParts): WriteDraft {
  const { token, hash } = tokens.make();
  const nowMs = clock.nowMs();
  const record: JoinTokenRecord = { hash, createdAtMs: nowMs, expiresAtMs: nowMs + ttlMs };
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

/** The token is marked used before the certificate leaves: two joins with one token cannot both win. */
async function joinNode(request: Parameters<JoinHandlers['join']>[0], parts: JoinParts): ReturnType<JoinHandlers['join']> {
  if (!isLabel(request.nodeName)) {
    throw new ClusterError('INVALID_ARGUMENT', `node name ${JSON.stringify(request.nodeName.slice(0, 80))} is not an RFC 1123 label`);
  }
  const hash = parts.tokens.hashOf(request.token);
  const stored = hash === undefined ? undefined : await parts.store.get(buildKey({ kind: 'token', hash }), parts.signal);
  if (stored === undefined) {
    throw new ClusterError('UNAUTHENTICATED', REFUSAL);
  }
  const node = parseNodeId(request.nodeName);
  const { removed } = await readRemoved(node, parts.store, parts.signal);
  await useToken(stored, node, parts);
  const certificatePem = await parts.authority.sign(request.csrPem, { role: 'node', name: node, ...(removed === undefined ? {} : { issuedAfterMs: removed.removedAtMs }) });
  return {
    certificatePem,
    caPem: parts.authority.caPem,
    controllers: [...parts.state.current.controllers.values()].map(record => record.value.apiAddress).sort(),
  };
}

/** From here on the node is another instance: who held its session before does so no more. */
function endInstance(node: NodeId, parts: JoinParts): readonly Operation[] {
  const session = parts.state.current.sessions.get(node);
  const value = (): Uint8Array => encodeSessionRecord({ node, sessionId: '', controllerId: '', openedAtMs: parts.clock.nowMs(), instanceNonce: '' });
  return session === undefined ? [] : [{ kind: 'put', key: buildKey({ kind: 'session', id: node }), value: value() }];
}

async function useToken(stored: StoredValue, nodeName: NodeId, parts: JoinParts): Promise<void> {
  const record = decodeJoinTokenRecord(stored.value);
  const nowMs = parts.clock.nowMs();
  if (record.usedBy !== undefined) {
    throw new ClusterError('UNAUTHENTICATED', `join token already used at ${new Date(record.usedAtMs ?? 0).toISOString()} by node ${record.usedBy}`);
  }
  if (record.expiresAtMs <= nowMs) {
    throw new ClusterError('UNAUTHENTICATED', REFUSAL);
  }
  const used: JoinTokenRecord = { ...record, usedBy: nodeName, usedAtMs: nowMs };
  const outcome = await transactGuarded(parts.store,
    [{ kind: 'mod-revision', key: stored.key, revision: stored.modRevision }],
    [{ kind: 'put', key: stored.key, value: encodeJoinTokenRecord(used), leaseId: await parts.store.grantLease(MAX_TOKEN_LIFE_MS) }, ...endInstance(nodeName, parts)], parts.signal);
  if (outcome.kind === 'refused' && !(outcome.isRepeat && await isOurUse(used, stored.key, parts))) {
    throw new ClusterError('UNAUTHENTICATED', REFUSAL);
  }
}

/** True when it was this very call that marked the token, and only the answer was lost. */
async function isOurUse(used: JoinTokenRecord, key: string, parts: JoinParts): Promise<boolean> {
  const now = await parts.store.get(key, parts.signal);
  return now !== undefined && Buffer.from(now.value).equals(encodeJoinTokenRecord(used));
}
