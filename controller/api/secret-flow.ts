/** Secrets into etcd: sealed, versioned, a new version only when the content differs. */
import type { AppSpec, SecretVersion } from '#model/app.ts';
import { ClusterError } from '#model/errors.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { Clock } from '#kit/clock.ts';
import { decodeSecretVersion, encodeSecretVersion } from '../store/records.ts';
import { transactGuarded } from '../store/guarded-write-flow.ts';
import { buildKey } from '../store/keys.ts';
import type { Compare, Store } from '../store/ports.ts';
import { secretBinding } from './content-flow.ts';
import type { ClusterState, SecretSealer } from './ports.ts';
import type { WriteDraft } from './write-once-flow.ts';

/** Of one write, while others write the same secret. */
const MAX_TRIES = 8;

export interface SecretParts {
  readonly store: Store;
  readonly state: ClusterState;
  readonly clock: Clock;
  readonly sealer: SecretSealer;
}

interface SecretContent {
  readonly namespace: string;
  readonly name: string;
  readonly content: Uint8Array;
}

/** Newest version of each secret of the namespace, by name. */
export function latestVersions(namespace: string, snapshot: ClusterSnapshot): ReadonlyMap<string, SecretVersion> {
  return new Map([...snapshot.secrets.values()]
    .filter(record => record.value.namespace === namespace)
    .map(record => [record.value.name, record.value]));
}

/** Writes the App's own secrets and answers the version of each that it names. Harmless when the apply does not land: nothing names a version then. */
export async function writeAppSecrets(app: AppSpec, parts: SecretParts, signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
  const versions = new Map<string, number>();
  for (const secret of app.secrets) {
    const latest = latestVersions(app.namespace, parts.state.current).get(secret.name);
    const version = secret.kind === 'external'
      ? latest?.version ?? 0
      : await writeSecret({ namespace: app.namespace, name: secret.name, content: secret.content }, parts, signal);
    versions.set(secret.name, version);
  }
  return versions;
}

/** The version that holds this content: the newest one if it does, else a new one. @throws ClusterError CONFLICT when others keep winning */
export async function writeSecret(
  secret: SecretContent, parts: SecretParts, signal: AbortSignal,
): Promise<number> {
  for (let attempt = 1; attempt <= MAX_TRIES; attempt += 1) {
    const { compares, operations, version } = await draftSecret(secret, parts, signal);
    if (operations.length === 0) {
      return version;
    }
    const outcome = await transactGuarded(parts.store, compares, operations, signal);
    await parts.state.waitFor(outcome.etcdRevision, signal);
    if (outcome.kind === 'committed') {
      return version;
    }
  }
  throw new ClusterError('CONFLICT', `secret ${secret.namespace}/${secret.name} cannot be written: the next version is taken already`);
}

/** The write of the version that holds this content; no operations where the newest one does. */
export async function draftSecret(
  secret: SecretContent, parts: SecretParts, signal: AbortSignal,
): Promise<Pick<WriteDraft, 'compares' | 'operations'> & { readonly version: number }> {
  const latest = latestVersions(secret.namespace, parts.state.current).get(secret.name);
  if (latest !== undefined && holds(latest, secret.content, parts.sealer)) {
    return { compares: [], operations: [], version: latest.version };
  }
  const deleted = await readDeleted(secret, parts.store, signal);
  const record = sealVersion(secret, Math.max(latest?.version ?? 0, deleted.version) + 1, parts);
  const key = buildKey({ kind: 'secret', namespace: secret.namespace, name: secret.name, version: record.version });
  return {
    compares: [{ kind: 'mod-revision', key, revision: 0 }, deleted.compare],
    operations: [{ kind: 'put', key, value: encodeSecretVersion(record) }], version: record.version,
  };
}

/** Newest version that a deleted secret of this name had; 0 without one. `compare` fails once another is deleted. */
async function readDeleted(
  { namespace, name }: SecretContent, store: Store, signal: AbortSignal,
): Promise<{ readonly version: number; readonly compare: Compare }> {
  const key = buildKey({ kind: 'deleted-secret', namespace, name });
  const stored = await store.get(key, signal);
  return {
    version: stored === undefined ? 0 : decodeSecretVersion(stored.value).version,
    compare: { kind: 'mod-revision', key, revision: stored?.modRevision ?? 0 },
  };
}

function sealVersion(secret: SecretContent, version: number, parts: SecretParts): SecretVersion {
  const { nonce, sealed } = parts.sealer.seal(secret.content, secretBinding(secret.namespace, secret.name, version));
  return { namespace: secret.namespace, name: secret.name, version, keyId: parts.sealer.keyId, nonce, sealed, createdAtMs: parts.clock.nowMs() };
}

function holds(version: SecretVersion, content: Uint8Array, sealer: SecretSealer): boolean {
  const plain = sealer.open(version, secretBinding(version.namespace, version.name, version.version));
  return Buffer.compare(plain, content) === 0;
}
