/** Each image of an App with its registry and the digest its tag means now; an unchanged text keeps its digest while the registry is away. */
import type { AppSpec } from '#model/app.ts';
import type { Digest } from '#model/digest.ts';
import { ClusterError, isClusterError } from '#model/errors.ts';
import type { Violation } from '#model/errors.ts';
import { serviceId } from '#model/ids.ts';
import type { ServiceId } from '#model/ids.ts';
import { formatImageName, normalizeImageReference, parseImageReference } from '#model/image-reference.ts';
import type { ImageReference } from '#model/image-reference.ts';
import type { ServiceSpec } from '#model/service.ts';
import type { ClusterState, ImageResolver } from './ports.ts';

export interface DigestParts {
  readonly resolver: ImageResolver;
  readonly state: ClusterState;
  /** Registry of references that name none. */
  readonly defaultRegistry: string;
}

/** The App with every image pinned. @throws ClusterError INVALID_ARGUMENT with one violation for each image that cannot be resolved */
export async function pinImages(app: AppSpec, parts: DigestParts, signal: AbortSignal): Promise<AppSpec> {
  const pinned = await Promise.all(app.services.map(async spec => await pinService(app, spec, parts, signal)));
  const violations = pinned.flatMap(one => (one.kind === 'violation' ? [one.violation] : []));
  if (violations.length > 0) {
    throw new ClusterError('INVALID_ARGUMENT', violations.map(one => `${one.path}: ${one.message}`).join('; '), { violations });
  }
  return { ...app, services: pinned.flatMap(one => (one.kind === 'pinned' ? [one.spec] : [])) };
}

type Pinned = { readonly kind: 'pinned'; readonly spec: ServiceSpec } | { readonly kind: 'violation'; readonly violation: Violation };

async function pinService(app: AppSpec, spec: ServiceSpec, parts: DigestParts, signal: AbortSignal): Promise<Pinned> {
  const parsed = parseImageReference(spec.container.image);
  if ('problem' in parsed) {
    return { kind: 'violation', violation: { path: `services.${spec.name}.image`, message: parsed.problem } };
  }
  const reference = normalizeImageReference({ ...parsed.value, ...(spec.container.digest === undefined ? {} : { digest: spec.container.digest }) }, parts.defaultRegistry);
  const image = formatImageName(reference);
  try {
    const digest = reference.digest ?? (await resolveTag({ service: serviceId(app.namespace, app.name, spec.name), image, reference }, parts, signal));
    return { kind: 'pinned', spec: { ...spec, container: { ...spec.container, image, digest } } };
  } catch (error) {
    if (error instanceof ClusterError) {
      return { kind: 'violation', violation: { path: `services.${spec.name}.image`, message: error.message } };
    }
    throw error;
  }
}

async function resolveTag(
  wanted: { readonly service: ServiceId; readonly image: string; readonly reference: ImageReference }, parts: DigestParts, signal: AbortSignal,
): Promise<Digest> {
  try {
    return await parts.resolver.resolve(wanted.reference, signal);
  } catch (error) {
    const current = parts.state.current.services.get(wanted.service)?.value.spec.container;
    if (isClusterError(error, 'UNAVAILABLE') && current?.image === wanted.image && current.digest !== undefined) {
      return current.digest;
    }
    throw error;
  }
}
