/**
 * Decides whether a layer on disk may be used for another image: content that was pulled with the
 * rights of one namespace is not available to another.
 */
import { createHash } from 'node:crypto';
import type { Digest } from '#model/digest.ts';

/** A repository, and a blob that an image there names. */
export interface BlobPlace {
  readonly registry: string;
  readonly repository: string;
  readonly digest: Digest;
}

/**
 * Proof that is needed before a layer on disk is used for the blob at `place`.
 * - `none`: the blob was pulled from this repository, which accepted this pull.
 * - `ask-registry`: the same registry sent the blob before; it knows whether this repository has
 * it.
 * - `fetch`: the blob came from other registries. A claim of this one proves nothing: anyone can
 * run a registry that claims to have a blob with a known digest. Its bytes are the proof.
 */
export type NeededProof = 'none' | 'ask-registry' | 'fetch';

export function neededProof(origins: readonly string[], place: BlobPlace): NeededProof {
  if (origins.includes(originOf(place))) {
    return 'none';
  }
  return origins.some(one => one.startsWith(`${place.registry}/`) && one.endsWith(`@${place.digest}`)) ? 'ask-registry' : 'fetch';
}

/**
 * Returns whether a namespace may use an image on disk. @param grants  namespaces whose login the
 * registry accepted; undefined: no login is needed
 */
export function isGranted(grants: readonly string[] | undefined, namespace: string): boolean {
  return grants === undefined || grants.includes(namespace);
}

export function originOf({ registry, repository, digest }: BlobPlace): string {
  return `${registry}/${repository}@${digest}`;
}

/**
 * Returns the name of the partial download of a blob: a registry that claims to have a blob must
 * not complete the download of another one.
 */
export function partialName(place: BlobPlace): Digest {
  return `sha256:${createHash('sha256').update(originOf(place)).digest('hex')}` as Digest;
}
