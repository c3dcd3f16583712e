/**
 * Docker's own logins: what of `~/.docker/config.json` is for one registry.
 *
 * Source: docker CLI, "docker login", "Credential stores", "Credential helpers"; docker/docker-credential-helpers
 */
import { ClusterError } from '#model/errors.ts';
import { DOCKER_HUB } from '#model/image-reference.ts';
import type { RegistryLogin } from '#model/node-images.ts';

/** The name of Docker Hub in docker's files. */
const HUB_KEY = 'https://index.docker.io/v1/';
/** A helper is a program of this name on PATH: no paths. */
const HELPER = /^[A-Za-z0-9_.-]{1,64}$/;
/** What a helper gives as the user of an identity token. */
const TOKEN_USER = '<token>';

export type DockerLogin =
  | { readonly kind: 'login'; readonly login: RegistryLogin }
  /** Ask `docker-credential-NAME get` for `server`. */
  | { readonly kind: 'helper'; readonly name: string; readonly server: string }
  | { readonly kind: 'none' };

/** A helper of the registry comes before the store, and that before what is written in the file. @throws ClusterError INVALID_ARGUMENT for a file that is none of docker's */
export function findDockerLogin(text: string, registry: string): DockerLogin {
  const config = parseObject(text);
  const server = registry === DOCKER_HUB ? HUB_KEY : registry;
  const helper = objectAt(config, 'credHelpers')[registry] ?? config['credsStore'];
  if (typeof helper === 'string' && helper !== '') {
    if (!HELPER.test(helper)) {
      throw new ClusterError('INVALID_ARGUMENT', `docker's config.json names the credential helper ${JSON.stringify(helper.slice(0, 80))}, which is no program name`);
    }
    return { kind: 'helper', name: helper, server };
  }
  const auths = objectAt(config, 'auths');
  const entry = auths[server] ?? auths[`https://${registry}`] ?? auths[`https://${registry}/v1/`] ?? auths[`https://${registry}/v2/`];
  return entry === undefined ? { kind: 'none' } : { kind: 'login', login: readEntry(entry, registry) };
}

/** What a helper printed. @throws ClusterError */
export function parseHelperAnswer(text: string, registry: string): RegistryLogin {
  const answer = parseObject(text);
  const { Username: username, Secret: password } = answer as { readonly Username?: unknown; readonly Secret?: unknown };
  if (typeof username !== 'string' || typeof password !== 'string' || username === '' || password === '') {
    throw new ClusterError('INVALID_ARGUMENT', `docker's credential helper has no user name and password for ${registry}`);
  }
  return requirePassword({ username, password }, registry);
}

function readEntry(entry: unknown, registry: string): RegistryLogin {
  const { auth, username, password, identitytoken } = Object(entry) as Readonly<Record<'auth' | 'username' | 'password' | 'identitytoken', unknown>>;
  if (typeof identitytoken === 'string' && identitytoken !== '') {
    return requirePassword({ username: TOKEN_USER, password: identitytoken }, registry);
  }
  const plain = typeof auth === 'string' && auth !== '' ? Buffer.from(auth, 'base64').toString('utf8').replace(/\0+$/, '') : `${textOf(username)}:${textOf(password)}`;
  const colon = plain.indexOf(':');
  if (colon < 1 || colon === plain.length - 1) {
    throw new ClusterError('INVALID_ARGUMENT', `docker's config.json has no user name and password for ${registry}; give -u and --password-stdin`);
  }
  return { username: plain.slice(0, colon), password: plain.slice(colon + 1) };
}

function requirePassword(login: RegistryLogin, registry: string): RegistryLogin {
  if (login.username === TOKEN_USER) {
    throw new ClusterError('FAILED_PRECONDITION', `docker has an identity token for ${registry}, which is good for docker alone; give -u and --password-stdin`);
  }
  return login;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function objectAt(config: Readonly<Record<string, unknown>>, key: string): Readonly<Record<string, unknown>> {
  const value = config[key];
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Readonly<Record<string, unknown>> : {};
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Readonly<Record<string, unknown>>;
  } catch {
    // Told below, like JSON of another shape; its text may hold a password.
  }
  throw new ClusterError('INVALID_ARGUMENT', 'what docker says about logins is no JSON object');
}
