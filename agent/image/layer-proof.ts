/** Whether a layer that is on disk may be used for another image: what was pulled with the rights of one namespace is not another's. */
import { createHash } from 'node:crypto';
import type { Digest } from '#model/digest.ts';

/** A repository, and a blob that an image there names. */
export interface BlobPlace {
  readonly registry: string;
  readonly repository: string;
  readonly digest: Digest;
}

/**
 * What is needed before a layer on disk is used for the blob at `place`.
 *
 * - `none`: the blob was pulled from this repository, which let this pull in.
 * - `ask-registry`: the same registry gave the blob once; it knows whether this repository has it.
 * - `fetch`: the blob came from other registries. The word of this one is no proof: anyone may run a registry that
 *   claims to have a blob whose digest they know. Its bytes are.
 */
export type NeededProof = 'none' | 'ask-registry' | 'fetch';

export function neededProof(origins: readonly string[], place: BlobPlace): NeededProof {
  if (origins.includes(originOf(place))) {
    return 'none';
  }
  return origins.some(one => one.startsWith(`${place.registry}/`) && one.endsWith(`@${place.digest}`)) ? 'ask-registry' : 'fetch';
}

/** Whether a namespace may use an image that is on disk. @param grants  namespaces whose login opened the registry for it; undefined: it needs none */
export function isGranted(grants: readonly string[] | undefined, namespace: string): boolean {
  return grants === undefined || grants.includes(namespace);
}

export function originOf({ registry, repository, digest }: BlobPlace): string {
  return `${registry}/${repository}@${digest}`;
}

/** Names the partial download of a blob: a registry that claims to have a blob must not complete what another one sent. */
export function partialName(place: BlobPlace): Digest {
  return `sha256:${createHash('sha256').update(originOf(place)).digest('hex')}` as Digest;
}
