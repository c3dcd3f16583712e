import type { ImageReference } from '#model/image-reference.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { Digest } from '#model/digest.ts';
import type { RegistryLogin } from '#model/node-images.ts';
import type { RegistryLoginRecord } from '#model/records.ts';
import type { ClusterUsage } from '#model/usage.ts';
import type { PlannedEvent } from '../reconcile/plan.ts';
import type { Operation } from '../store/ports.ts';
import type { ClusterChange } from '../store/snapshot.ts';
import type { ChangesOptions } from '../store/watch-loop.ts';

/**
 * This replica's picture of the cluster.
 *
 * 1. `current` is safe to read until the next `await`. 2. `waitFor` resolves when `current.etcdRevision` reached the revision, so that a
 * caller sees its own write. 3. `changes` yields what changed; several changes may be told as one, with all that they touched; it never blocks the mirror.
 * 4. Revisions that touched nothing of the picture (events, requests) raise `current.etcdRevision` and are not told, unless `withOthers`.
 * 5. `turnsLater` puts who is waited for less behind the leader's next write and the assignments (0), and the views of something by name (1).
 */
export interface ClusterState {
  readonly current: ClusterSnapshot;
  waitFor(etcdRevision: number, signal: AbortSignal): Promise<void>;
  changes(signal: AbortSignal, options?: ChangesOptions): AsyncIterable<ClusterChange>;
}

/** What a tag means now, for those that the namespace's login lets in. @throws ClusterError as `proto/registry` says: NOT_FOUND, PERMISSION_DENIED, UNAVAILABLE */
export interface ImageResolver {
  resolve(image: ImageReference, namespace: string, signal: AbortSignal): Promise<Digest>;
}

/** Registries, asked with the login of a namespace. Throws as ImageResolver does. */
export interface ImageRegistry extends ImageResolver {
  listTags(image: ImageReference, namespace: string, signal: AbortSignal): Promise<readonly string[]>;
  /** Gives what `image` names the tag, in its own repository. */
  tag(image: ImageReference, tag: string, namespace: string, signal: AbortSignal): Promise<Digest>;
  /** @throws ClusterError PERMISSION_DENIED */
  checkLogin(registry: string, login: RegistryLogin, signal: AbortSignal): Promise<void>;
}

/** The logins of namespaces at registries. */
export interface RegistryLogins {
  find(namespace: string, registry: string, signal: AbortSignal): Promise<RegistryLogin | undefined>;
  /** Sealed, by namespace and registry. */
  list(namespace: string | undefined, signal: AbortSignal): Promise<readonly RegistryLoginRecord[]>;
  put(login: RegistryLogin & { readonly namespace: string; readonly registry: string }): Operation;
  delete(namespace: string, registry: string): Operation;
}

/** Seals secrets before they reach etcd and opens them for the nodes that run their users. */
export interface SecretSealer {
  /** Of the key that seals. */
  readonly keyId: string;
  seal(plain: Uint8Array, associated: string): { readonly nonce: Uint8Array; readonly sealed: Uint8Array };
  /** HMACs of `text`, one for each key, that of the sealing key first: a plain hash of a short secret can be guessed. */
  fingerprints(text: string): readonly Uint8Array[];
  /** @throws ClusterError FAILED_PRECONDITION when sealed by another key or changed */
  open(sealed: { readonly keyId: string; readonly nonce: Uint8Array; readonly sealed: Uint8Array }, associated: string): Uint8Array;
}

/** Tells people what happened: a record in etcd, and NATS live. Never throws, never waits for either. */
export interface EventSink {
  record(events: readonly PlannedEvent[]): void;
}

/** What tasks use, as far as it was heard: nothing depends on it. */
export interface UsageSource {
  now(): ClusterUsage;
}
