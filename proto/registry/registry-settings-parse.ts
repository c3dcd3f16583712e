/** How this process reaches registries, out of its command line. The same options for controllers and agents. */
import { ClusterError } from '#model/errors.ts';
import { isRegistry } from '#model/image-reference.ts';

export interface RegistrySettings {
  /** `host[:port]` of registries without TLS; all others are asked by https alone. */
  readonly plainRegistries: readonly string[];
  /** Asked before the registry itself, without a login, in this order. */
  readonly mirrors: ReadonlyMap<string, readonly string[]>;
  /** Where tokens for a registry may be asked for besides the registry's own host. */
  readonly tokenHosts: ReadonlyMap<string, readonly string[]>;
}

export const NO_REGISTRY_SETTINGS: RegistrySettings = { plainRegistries: [], mirrors: new Map(), tokenHosts: new Map() };

export const REGISTRY_OPTIONS = {
  'registry-ca': { value: 'FILE', meaning: 'PEM file with additional CAs for registries' },
  'plain-registries': { value: 'HOST:PORT,...', fallback: '', meaning: 'registries without TLS' },
  'registry-mirrors': { value: 'REGISTRY=HOST:PORT,...', fallback: '', meaning: 'mirrors to try before a registry, for images that need no login' },
  'token-hosts': { value: 'REGISTRY=HOST,...', fallback: '', meaning: 'additional hosts that may issue tokens for a registry' },
} as const;

type Texts = Readonly<Partial<Record<'plain-registries' | 'registry-mirrors' | 'token-hosts', string>>>;

/** @throws ClusterError INVALID_ARGUMENT that names the option */
export function parseRegistrySettings(values: Texts): RegistrySettings {
  return {
    plainRegistries: words(values['plain-registries']).map(word => checked('plain-registries', word)),
    mirrors: pairs('registry-mirrors', values['registry-mirrors']),
    tokenHosts: pairs('token-hosts', values['token-hosts']),
  };
}

function pairs(option: string, text: string | undefined): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const word of words(text)) {
    const [registry = '', host = '', ...rest] = word.split('=');
    if (host === '' || rest.length > 0) {
      throw new ClusterError('INVALID_ARGUMENT', `--${option} ${JSON.stringify(word)} is not REGISTRY=HOST`);
    }
    found.set(checked(option, registry), [...found.get(registry) ?? [], checked(option, host)]);
  }
  return found;
}

function words(text = ''): readonly string[] {
  return text.split(',').map(word => word.trim()).filter(word => word !== '');
}

function checked(option: string, host: string): string {
  if (!isRegistry(host)) {
    throw new ClusterError('INVALID_ARGUMENT', `--${option} ${JSON.stringify(host)} is not a host or host:port`);
  }
  return host;
}
