/** Secrets of a namespace: put, list, delete. Values never come back out. */
import { containersOf } from '#model/companion.ts';
import { ClusterError } from '#model/errors.ts';
import { isLabel } from '#model/ids.ts';
import type { ControlHandlers } from '#model/ports.ts';
import { buildKey, parseKey, secretPrefix } from '../store/keys.ts';
import type { Operation, Store, StoredKey } from '../store/ports.ts';
import { encodeSecretVersion } from '../store/records.ts';
import { requireRole } from './access.ts';
import { draftSecret } from './secret-flow.ts';
import type { SecretParts } from './secret-flow.ts';
import { requireOutcome, writeOnce } from './write-once-flow.ts';
import type { WriteDraft, WriteParts } from './write-once-flow.ts';

type SecretHandlers = Pick<ControlHandlers, 'putSecret' | 'listSecrets' | 'deleteSecret'>;

/** Source: reliability.md 10. */
export const MAX_SECRET_BYTES = 512 * 1024;

export function createSecretApi(parts: SecretParts & WriteParts & { readonly signal: AbortSignal }): SecretHandlers {
  return {
    async putSecret(request, peer) {
      requireRole(peer, 'operator');
      requireNames(request.namespace, request.name);
      if (request.content.length > MAX_SECRET_BYTES) {
        throw new ClusterError('INVALID_ARGUMENT', `secret ${request.name} is ${String(request.content.length)} bytes, at most ${String(MAX_SECRET_BYTES)} are allowed`);
      }
      const outcome = await writeOnce({ rpc: 'putSecret', request }, parts, async () => {
        const { compares, operations, version } = await draftSecret(request, parts, parts.signal);
        return { compares, operations, outcome: { kind: 'secret', version } };
      }, parts.signal);
      return { version: requireOutcome(outcome, 'secret', request).version };
    },
    listSecrets(request, peer) {
      requireRole(peer, 'operator');
      return Promise.resolve([...parts.state.current.secrets.values()]
        .filter(record => request.namespace === undefined || record.value.namespace === request.namespace)
        .map(({ value }) => ({ namespace: value.namespace, name: value.name, version: value.version, createdAtMs: value.createdAtMs }))
        .sort((left, right) => (`${left.namespace}/${left.name}` < `${right.namespace}/${right.name}` ? -1 : 1)));
    },
    async deleteSecret(request, peer) {
      requireRole(peer, 'operator');
      requireNames(request.namespace, request.name);
      await writeOnce({ rpc: 'deleteSecret', request }, parts, async () => {
        requireUnused(request.namespace, request.name, parts);
        const { keys } = await parts.store.listKeys([secretPrefix(request.namespace, request.name)], parts.signal);
        if (keys.length === 0) {
          throw new ClusterError('NOT_FOUND', `secret ${request.namespace}/${request.name} does not exist`);
        }
        const { compares, operations } = deletionOf(await deleteOldVersions(keys, parts));
        return { compares, operations: [...operations, keepVersion(request, keys, parts.clock.nowMs())], outcome: { kind: 'done' } };
      }, parts.signal);
    },
  };
}

/** Versions that are deleted in one transaction, beside the record of the request. */
const DELETED_AT_ONCE = 100;

/** Deletes the oldest versions, of which nothing is in use, until the rest fits in one transaction. @returns the rest */
async function deleteOldVersions(keys: readonly StoredKey[], { store, signal }: { readonly store: Store; readonly signal: AbortSignal }): Promise<readonly StoredKey[]> {
  let left = keys;
  while (left.length > DELETED_AT_ONCE) {
    const { compares, operations } = deletionOf(left.slice(0, DELETED_AT_ONCE));
    const outcome = await store.transact(compares, operations, signal);
    if (outcome.kind === 'refused') {
      throw new ClusterError('CONFLICT', 'versions of the secret were changed meanwhile; try again');
    }
    left = left.slice(DELETED_AT_ONCE);
  }
  return left;
}

function deletionOf(keys: readonly StoredKey[]): Pick<WriteDraft, 'compares' | 'operations'> {
  return {
    compares: keys.map(({ key, modRevision }) => ({ kind: 'mod-revision', key, revision: modRevision }) as const),
    operations: keys.map(({ key }) => ({ kind: 'delete', key }) as const),
  };
}

/** A secret that is created under this name later starts above: nodes, Tasks and Revisions know a content by name and version. */
function keepVersion({ namespace, name }: { readonly namespace: string; readonly name: string }, keys: readonly StoredKey[], nowMs: number): Operation {
  const versions = keys.map(({ key }) => parseKey(key)).flatMap(key => (key?.kind === 'secret' ? [key.version] : []));
  const newest = { namespace, name, version: Math.max(0, ...versions), keyId: '', nonce: new Uint8Array(), sealed: new Uint8Array(), createdAtMs: nowMs };
  return { kind: 'put', key: buildKey({ kind: 'deleted-secret', namespace, name }), value: encodeSecretVersion(newest) };
}

function requireNames(namespace: string, name: string): void {
  for (const text of [namespace, name]) {
    if (!isLabel(text)) {
      throw new ClusterError('INVALID_ARGUMENT', `${JSON.stringify(text.slice(0, 80))} is not an RFC 1123 label: a-z, 0-9 and -, at most 63`);
    }
  }
}

function requireUnused(namespace: string, name: string, parts: SecretParts): void {
  const user = [...parts.state.current.services.values()].find(record =>
    record.value.namespace === namespace && containersOf(record.value.spec).some(container => container.secrets.some(mount => mount.source === name)));
  if (user !== undefined) {
    throw new ClusterError('FAILED_PRECONDITION', `secret ${namespace}/${name} is used by service ${user.value.id}; take it out there first`);
  }
}
