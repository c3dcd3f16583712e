import { ClusterError } from '#model/errors.ts';
import type { ImageReference } from '#model/image-reference.ts';
import type { RegistryClient } from '#registry/registry-client.ts';
import type { ImageResolver } from './ports.ts';

/** Asks the image's own registry what its tag means now. */
export function registryResolver(client: RegistryClient): ImageResolver {
  return {
    async resolve(image: ImageReference, signal: AbortSignal) {
      if (image.registry === undefined) {
        throw new ClusterError('INVALID_ARGUMENT', `image ${image.repository} names no registry`);
      }
      return await client.resolve({ ...image, registry: image.registry }, signal);
    },
  };
}
