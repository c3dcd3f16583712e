import { ClusterError } from '#model/errors.ts';
import type { ImageReference } from '#model/image-reference.ts';
import type { RegistryClient, RegistryImage } from '#registry/registry-client.ts';
import type { ImageRegistry, RegistryLogins } from './ports.ts';

/** Pairs of namespace and registry that are remembered. */
const MAX_REMEMBERED = 1_000;

/** Asks the image's own registry, with the login of the namespace that asks. */
export function registryResolver(client: RegistryClient, logins: Pick<RegistryLogins, 'find'>): ImageRegistry {
  /** Where no login was found the last time: asked without one while it is looked again. */
  const withoutLogin = new Set<string>();
  const clientFor = async (image: RegistryImage, namespace: string, signal: AbortSignal): Promise<RegistryClient> => {
    const login = await logins.find(namespace, image.registry, signal);
    return login === undefined ? client : client.withLogin(login);
  };
  return {
    async resolve(image, namespace, signal) {
      const known = requireRegistry(image);
      const pair = `${namespace} ${known.registry}`;
      const guess = withoutLogin.has(pair) ? client.resolve(known, signal) : undefined;
      guess?.catch(() => undefined);
      const login = await logins.find(namespace, known.registry, signal);
      if (login !== undefined) {
        withoutLogin.delete(pair);
        return await client.withLogin(login).resolve(known, signal);
      }
      if (withoutLogin.size < MAX_REMEMBERED) withoutLogin.add(pair);
      return await (guess ?? client.resolve(known, signal));
    },
    async listTags(image, namespace, signal) {
      const known = requireRegistry(image);
      return await (await clientFor(known, namespace, signal)).listTags(known, signal);
    },
    async tag(image, tag, namespace, signal) {
      const known = requireRegistry(image);
      const asking = (await clientFor(known, namespace, signal)).withoutMirrors();
      const { digest, bytes, contentType } = await asking.fetchManifest(known, signal);
      await asking.pushManifest({ registry: known.registry, repository: known.repository, tag }, { mediaType: contentType, bytes }, signal);
      return digest;
    },
    async checkLogin(registry, login, signal) {
      await client.withLogin(login).checkLogin(registry, signal);
    },
  };
}

function requireRegistry(image: ImageReference): RegistryImage {
  if (image.registry === undefined) {
    throw new ClusterError('INVALID_ARGUMENT', `image ${image.repository} names no registry`);
  }
  return { ...image, registry: image.registry };
}
