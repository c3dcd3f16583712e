/** Images by name, as a namespace's logins see them, and those logins. Passwords never come back out. */
import { randomUUID } from 'node:crypto';
import { ClusterError } from '#model/errors.ts';
import { isLabel } from '#model/ids.ts';
import { DOCKER_HUB, formatImageName, isRegistry, normalizeImageReference, parseImageReference } from '#model/image-reference.ts';
import type { ControlHandlers } from '#model/ports.ts';
import type { RequestRecord } from '#model/records.ts';
import { requireRole } from './access.ts';
import { lookUp } from './digest-flow.ts';
import type { ImageLookup } from './image-lookup.ts';
import type { ImageRegistry, RegistryLogins } from './ports.ts';
import { requireOutcome, writeOnce } from './write-once-flow.ts';
import type { WriteParts } from './write-once-flow.ts';

type ImageHandlers = Pick<ControlHandlers, 'resolveImage' | 'listTags' | 'tagImage' | 'putRegistryLogin' | 'listRegistryLogins' | 'deleteRegistryLogin'>;

type Tagged = Extract<RequestRecord['outcome'], { readonly kind: 'tagged' }>;

export interface ImageApiParts extends WriteParts {
  readonly resolver: ImageRegistry;
  readonly logins: RegistryLogins;
  readonly defaultRegistry: string;
  readonly signal: AbortSignal;
}

/** Names of docker's own registry, which docker's login knows it by. Source: docker CLI, "docker login". */
const HUB_NAMES = new Set(['index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com', 'hub.docker.com']);
const MAX_USERNAME_LENGTH = 255;
const MAX_PASSWORD_LENGTH = 16_384;

export function createImageApi(parts: ImageApiParts): ImageHandlers {
  return { ...createNameApi(parts), ...createLoginApi(parts) };
}

function createNameApi(parts: ImageApiParts): Pick<ImageHandlers, 'resolveImage' | 'listTags' | 'tagImage'> {
  return {
    async resolveImage(request, peer) {
      requireRole(peer, 'operator');
      const lookup = readLookup(request, parts);
      const { reference } = lookup;
      return { image: formatImageName(reference), digest: await lookUp(lookup, () => parts.resolver.resolve(reference, request.namespace, parts.signal)) };
    },
    async listTags(request, peer) {
      requireRole(peer, 'operator');
      const lookup = readLookup(request, parts);
      const { registry = '', repository } = lookup.reference;
      return { repository: `${registry}/${repository}`, tags: await lookUp(lookup, () => parts.resolver.listTags({ registry, repository }, request.namespace, parts.signal)) };
    },
    async tagImage(request, peer) {
      requireRole(peer, 'operator');
      const { namespace, source, target } = request;
      const lookup = readLookup({ namespace, image: source }, parts);
      const { reference: from } = lookup;
      const { reference: to } = readLookup({ namespace, image: target }, parts);
      if (to.registry !== from.registry || to.repository !== from.repository || to.digest !== undefined) {
        throw new ClusterError('INVALID_ARGUMENT', `${target} is no other tag of ${from.registry ?? ''}/${from.repository}; a tag is set within one repository, copies between repositories are made by tools like skopeo`);
      }
      const tag = async (): Promise<Tagged> =>
        ({ kind: 'tagged', image: formatImageName(to), digest: await lookUp(lookup, () => parts.resolver.tag(from, to.tag ?? 'latest', namespace, parts.signal)) });
      // The registry is no part of the transaction: a tag is set again where the record of the request did not land.
      const named = { ...request, requestId: request.requestId ?? randomUUID() };
      const outcome = await writeOnce({ rpc: 'tagImage', request: named }, parts, async () => ({ compares: [], operations: [], outcome: await tag() }), parts.signal);
      const { image, digest } = requireOutcome(outcome, 'tagged', named);
      return { image, digest };
    },
  };
}

function createLoginApi(parts: ImageApiParts): Pick<ImageHandlers, 'putRegistryLogin' | 'listRegistryLogins' | 'deleteRegistryLogin'> {
  return {
    async putRegistryLogin(request, peer) {
      requireRole(peer, 'operator');
      const { namespace, username, password } = request;
      const registry = readRegistry(request, parts.defaultRegistry);
      if (username === '' || username.includes(':') || username.length > MAX_USERNAME_LENGTH || password === '' || password.length > MAX_PASSWORD_LENGTH) {
        throw new ClusterError('INVALID_ARGUMENT', `a login at ${registry} needs a user name without ':' and a password, at most ${String(MAX_USERNAME_LENGTH)} and ${String(MAX_PASSWORD_LENGTH)} characters`);
      }
      await writeOnce({ rpc: 'putRegistryLogin', request }, parts, async () => {
        await parts.resolver.checkLogin(registry, { username, password }, parts.signal);
        return { compares: [], operations: [parts.logins.put({ namespace, registry, username, password })], outcome: { kind: 'done' } };
      }, parts.signal);
      return { registry };
    },
    async listRegistryLogins({ namespace }, peer) {
      requireRole(peer, 'operator');
      const records = await parts.logins.list(namespace, parts.signal);
      return records.map(record => ({ namespace: record.namespace, registry: record.registry, username: record.username, createdAtMs: record.createdAtMs }));
    },
    async deleteRegistryLogin(request, peer) {
      requireRole(peer, 'operator');
      const registry = readRegistry(request, parts.defaultRegistry);
      await writeOnce({ rpc: 'deleteRegistryLogin', request }, parts, async () => {
        const records = await parts.logins.list(request.namespace, parts.signal);
        if (!records.some(record => record.namespace === request.namespace && record.registry === registry)) {
          throw new ClusterError('NOT_FOUND', `namespace ${request.namespace} has no login at ${registry}`);
        }
        return { compares: [], operations: [parts.logins.delete(request.namespace, registry)], outcome: { kind: 'done' } };
      }, parts.signal);
      return { registry };
    },
  };
}

/** @throws ClusterError INVALID_ARGUMENT */
function readLookup({ namespace, image }: { readonly namespace: string; readonly image: string }, { defaultRegistry }: ImageApiParts): ImageLookup {
  requireNamespace(namespace);
  const parsed = parseImageReference(image);
  if ('problem' in parsed) {
    throw new ClusterError('INVALID_ARGUMENT', parsed.problem);
  }
  return { written: image, parsed: parsed.value, reference: normalizeImageReference(parsed.value, defaultRegistry) };
}

/** @throws ClusterError INVALID_ARGUMENT */
function readRegistry({ namespace, registry }: { readonly namespace: string; readonly registry: string }, defaultRegistry: string): string {
  requireNamespace(namespace);
  const name = registry === '' ? defaultRegistry : registry;
  if (!isRegistry(name)) {
    throw new ClusterError('INVALID_ARGUMENT', `${JSON.stringify(name.slice(0, 80))} is not a registry: host or host:port, without scheme and path`);
  }
  return HUB_NAMES.has(name) ? DOCKER_HUB : name;
}

function requireNamespace(namespace: string): void {
  if (!isLabel(namespace)) {
    throw new ClusterError('INVALID_ARGUMENT', `${JSON.stringify(namespace.slice(0, 80))} is not an RFC 1123 label: a-z, 0-9 and -, at most 63`);
  }
}
