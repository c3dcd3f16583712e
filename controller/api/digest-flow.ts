/** Each image of an App with its registry and the digest its tag means now; an unchanged text keeps its digest while the registry is away. */
import type { AppSpec } from '#model/app.ts';
import { companionPath } from '#model/companion.ts';
import type { Digest } from '#model/digest.ts';
import { ClusterError, isClusterError } from '#model/errors.ts';
import type { Violation } from '#model/errors.ts';
import { serviceId } from '#model/ids.ts';
import { formatImageName, normalizeImageReference, parseImageReference } from '#model/image-reference.ts';
import type { ImageReference } from '#model/image-reference.ts';
import type { ContainerSpec, ServiceSpec } from '#model/service.ts';
import type { TunnelRequest } from '#model/tunnel.ts';
import { explainLookup } from './image-lookup.ts';
import type { ImageLookup } from './image-lookup.ts';
import type { ClusterState, ImageResolver } from './ports.ts';

export interface DigestParts {
  readonly resolver: ImageResolver;
  readonly state: ClusterState;
  /** Registry of references that name none. */
  readonly defaultRegistry: string;
}

/** The App with every image pinned. @throws ClusterError INVALID_ARGUMENT with one violation for each image that cannot be resolved */
export async function pinImages(app: AppSpec, parts: DigestParts, signal: AbortSignal): Promise<AppSpec> {
  const violations: Violation[] = [];
  const pin = async (container: ContainerSpec, place: ImagePlace): Promise<ContainerSpec> => {
    const pinned = await pinContainer(container, place, parts, signal);
    if (pinned.kind === 'violation') {
      violations.push(pinned.violation);
      return container;
    }
    return pinned.container;
  };
  const services = await Promise.all(app.services.map(async spec => await pinService(app, spec, { pin, state: parts.state })));
  if (violations.length > 0) {
    violations.sort((left, right) => (left.path < right.path ? -1 : 1));
    throw new ClusterError('INVALID_ARGUMENT', violations.map(one => `${one.path}: ${one.message}`).join('; '), { violations });
  }
  return { ...app, services };
}

/** A tunnel that brings an image of its own gets its digest, from the registry. @throws ClusterError INVALID_ARGUMENT for a bad reference, or what the registry says */
export async function pinDebugImage(request: TunnelRequest, parts: DigestParts, signal: AbortSignal): Promise<TunnelRequest> {
  if (!('task' in request)) {
    return request;
  }
  const { spec } = request;
  if (spec.kind !== 'debug') {
    return request;
  }
  const parsed = parseImageReference(spec.image);
  if ('problem' in parsed) {
    throw new ClusterError('INVALID_ARGUMENT', parsed.problem);
  }
  const reference = normalizeImageReference(parsed.value, parts.defaultRegistry);
  const namespace = parts.state.current.tasks.get(request.task)?.value.namespace ?? '';
  const digest = reference.digest ?? await lookUp({ written: spec.image, parsed: parsed.value, reference }, () => parts.resolver.resolve(reference, namespace, signal));
  return { ...request, spec: { ...spec, image: formatImageName(reference), digest } };
}

/** What `ask` answers. @throws ClusterError as it does, explained */
export async function lookUp<Answer>(lookup: ImageLookup, ask: () => Promise<Answer>): Promise<Answer> {
  try {
    return await ask();
  } catch (error) {
    throw error instanceof ClusterError ? explainLookup(error, lookup) : error;
  }
}

/** Where an image stands in the manifest, and what it was called and resolved to before. */
interface ImagePlace {
  readonly namespace: string;
  readonly path: string;
  readonly current: ContainerSpec | undefined;
}

type Pinned = { readonly kind: 'pinned'; readonly container: ContainerSpec } | { readonly kind: 'violation'; readonly violation: Violation };

interface Pinning {
  readonly pin: (container: ContainerSpec, place: ImagePlace) => Promise<ContainerSpec>;
  readonly state: ClusterState;
}

async function pinService(app: AppSpec, spec: ServiceSpec, { pin, state }: Pinning): Promise<ServiceSpec> {
  const current = state.current.services.get(serviceId(app.namespace, app.name, spec.name))?.value.spec;
  const path = `services.${spec.name}`;
  const container = await pin(spec.container, { namespace: app.namespace, path: `${path}.image`, current: current?.container });
  if (spec.companions === undefined) {
    return { ...spec, container };
  }
  const companions = await Promise.all(spec.companions.map(async (companion, index, all) => ({
    ...companion,
    container: await pin(companion.container, {
      namespace: app.namespace, path: `${companionPath(path, all, index)}.image`, current: current?.companions?.find(one => one.name === companion.name)?.container,
    }),
  })));
  return { ...spec, container, companions };
}

async function pinContainer(container: ContainerSpec, place: ImagePlace, parts: DigestParts, signal: AbortSignal): Promise<Pinned> {
  const parsed = parseImageReference(container.image);
  if ('problem' in parsed) {
    return { kind: 'violation', violation: { path: place.path, message: parsed.problem } };
  }
  const reference = normalizeImageReference({ ...parsed.value, ...(container.digest === undefined ? {} : { digest: container.digest }) }, parts.defaultRegistry);
  const image = formatImageName(reference);
  try {
    const digest = reference.digest ?? (await resolveTag({ image, reference, namespace: place.namespace, current: place.current }, parts, signal));
    return { kind: 'pinned', container: { ...container, image, digest } };
  } catch (error) {
    if (error instanceof ClusterError) {
      return { kind: 'violation', violation: { path: place.path, message: explainLookup(error, { written: container.image, parsed: parsed.value, reference }).message } };
    }
    throw error;
  }
}

async function resolveTag(
  wanted: { readonly namespace: string; readonly image: string; readonly reference: ImageReference; readonly current: ContainerSpec | undefined }, parts: DigestParts, signal: AbortSignal,
): Promise<Digest> {
  try {
    return await parts.resolver.resolve(wanted.reference, wanted.namespace, signal);
  } catch (error) {
    const { current } = wanted;
    if (isClusterError(error, 'UNAVAILABLE') && current?.image === wanted.image && current.digest !== undefined) {
      return current.digest;
    }
    throw error;
  }
}
