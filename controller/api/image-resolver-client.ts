import type { Digest } from '#model/digest.ts';
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
  /** @param mayGuess  `ask` changes nothing: it may be asked without a login while one is looked for */
  const asNamespace = async <Answer>(
    { registry }: RegistryImage, namespace: string, signal: AbortSignal, { mayGuess, ask }: { readonly mayGuess: boolean; readonly ask: (client: RegistryClient) => Promise<Answer> },
  ): Promise<Answer> => {
    const pair = `${namespace} ${registry}`;
    const guess = mayGuess && withoutLogin.has(pair) ? ask(client) : undefined;
    guess?.catch(() => undefined);
    const login = await logins.find(namespace, registry, signal);
    if (login !== undefined) {
      withoutLogin.delete(pair);
      return await ask(client.withLogin(login));
    }
    if (withoutLogin.size < MAX_REMEMBERED) withoutLogin.add(pair);
    return await (guess ?? ask(client));
  };
  return {
    async resolve(image, namespace, signal) {
      const known = requireRegistry(image);
      return await asNamespace(known, namespace, signal, { mayGuess: true, ask: async asking => await asking.resolve(known, signal) });
    },
    async listTags(image, namespace, signal) {
      const known = requireRegistry(image);
      return await asNamespace(known, namespace, signal, { mayGuess: false, ask: async asking => await asking.listTags(known, signal) });
    },
    async tag(image, tag, namespace, signal) {
      const known = requireRegistry(image);
      return await asNamespace(known, namespace, signal, { mayGuess: false, ask: async asking => await tagAt(asking.withoutMirrors(), known, tag, signal) });
    },
    async checkLogin(registry, login, signal) {
      await client.withLogin(login).checkLogin(registry, signal);
    },
  };
}

async function tagAt(registry: RegistryClient, image: RegistryImage, tag: string, signal: AbortSignal): Promise<Digest> {
  const { digest, bytes, contentType } = await registry.fetchManifest(image, signal);
  await registry.pushManifest({ registry: image.registry, repository: image.repository, tag }, { mediaType: contentType, bytes }, signal);
  return digest;
}

function requireRegistry(image: ImageReference): RegistryImage {
  if (image.registry === undefined) {
    throw new ClusterError('INVALID_ARGUMENT', `image ${image.repository} names no registry`);
  }
  return { ...image, registry: image.registry };
}
