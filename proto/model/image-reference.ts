/**
 * Image references: `registry/repository:tag@digest`.
 *
 * Source: distribution/reference, "Grammar" (domain, path-component, tag); Docker's rule that a first component without
 * a dot, a colon and other than `localhost` is no registry.
 */
import { isDigest } from './digest.ts';
import type { Digest } from './digest.ts';
import { quoted } from './printable.ts';
import type { Parsed } from './quantity.ts';

export interface ImageReference {
  /** `host[:port]`; absent: the cluster's default registry. */
  readonly registry?: string;
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

export const DOCKER_HUB = 'docker.io';

const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const REGISTRY = /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const MAX_NAME_LENGTH = 255;

export function parseImageReference(text: string): Parsed<ImageReference> {
  if (text === '') {
    return { problem: 'image reference is empty; write registry/repository:tag' };
  }
  const [withTag = '', digest, ...rest] = text.split('@');
  const { name, tag } = splitTag(withTag);
  const { registry, repository } = splitRegistry(name);
  const problems = [
    findSchemeProblem(text), rest.length > 0 ? DIGEST_RULE : findDigestProblem(digest), findTagProblem(tag), findRegistryProblem(registry),
    findRepositoryProblem(repository, name),
  ];
  const problem = problems.find(one => one !== undefined);
  if (problem !== undefined) {
    return { problem: `image reference ${quoted(text)} ${problem}` };
  }
  return {
    value: {
      ...(registry === undefined ? {} : { registry }),
      repository,
      ...(tag === undefined ? {} : { tag }),
      ...(digest !== undefined && isDigest(digest) ? { digest } : {}),
    },
  };
}

const DIGEST_RULE = 'has an invalid digest; it is sha256:<64 hex> or sha512:<128 hex>';

function findSchemeProblem(text: string): string | undefined {
  return /^[a-z]+:\/\//i.test(text) ? 'must not contain a scheme; write registry/repository:tag' : undefined;
}

function findDigestProblem(digest: string | undefined): string | undefined {
  return digest === undefined || isDigest(digest) ? undefined : DIGEST_RULE;
}

function findTagProblem(tag: string | undefined): string | undefined {
  return tag === undefined || isTag(tag) ? undefined : 'has an invalid tag; it is at most 128 of A-Z a-z 0-9 _ . -';
}

export function isTag(text: string): boolean {
  return TAG.test(text);
}

/** True for `host` and `host:port`. */
export function isRegistry(text: string): boolean {
  return text.length <= MAX_NAME_LENGTH && REGISTRY.test(text);
}

function findRegistryProblem(registry: string | undefined): string | undefined {
  return registry === undefined || isRegistry(registry) ? undefined : 'has an invalid registry host';
}

/** The reference with registry and tag filled in: `nginx` is `docker.io/library/nginx:latest`. A digest needs no tag. */
export function normalizeImageReference(reference: ImageReference, defaultRegistry: string): ImageReference {
  const registry = reference.registry ?? defaultRegistry;
  const isOfficial = registry === DOCKER_HUB && !reference.repository.includes('/');
  return {
    ...reference,
    registry,
    repository: isOfficial ? `library/${reference.repository}` : reference.repository,
    ...(reference.tag === undefined && reference.digest === undefined ? { tag: 'latest' } : {}),
  };
}

/** `registry/repository:tag`, without the digest: the form of `ContainerSpec.image`. */
export function formatImageName(reference: ImageReference): string {
  const host = reference.registry === undefined ? '' : `${reference.registry}/`;
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  return host + reference.repository + tag;
}

/** `registry/repository:tag@digest`, with what there is. */
export function formatImageReference(reference: ImageReference): string {
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return formatImageName(reference) + digest;
}

function splitTag(text: string): { readonly name: string; readonly tag?: string } {
  const colon = text.lastIndexOf(':');
  return colon > text.lastIndexOf('/') ? { name: text.slice(0, colon), tag: text.slice(colon + 1) } : { name: text };
}

function splitRegistry(name: string): { readonly registry?: string; readonly repository: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(0, slash));
  const isHost = slash > 0 && (/[.:[]/.test(first) || first === 'localhost');
  return isHost ? { registry: first, repository: name.slice(slash + 1) } : { repository: name };
}

function findRepositoryProblem(repository: string, name: string): string | undefined {
  if (name.length > MAX_NAME_LENGTH) {
    return `is longer than ${String(MAX_NAME_LENGTH)} characters`;
  }
  if (/[A-Z]/.test(repository)) {
    return 'is invalid: the repository must be lower case';
  }
  if (!repository.split('/').every(component => COMPONENT.test(component))) {
    return 'is invalid: a repository component is a-z 0-9, joined by . _ or -';
  }
  return undefined;
}
