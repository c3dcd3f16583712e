/** Logins at registries, one for each namespace and registry: sealed in etcd, opened for a pull. */
import type { Clock } from '#kit/clock.ts';
import type { RegistryLogin } from '#model/node-images.ts';
import type { RegistryLoginRecord } from '#model/records.ts';
import { buildKey, loginPrefix } from '../store/keys.ts';
import type { Operation, Store } from '../store/ports.ts';
import { decodeRegistryLogin, encodeRegistryLogin } from '../store/records.ts';
import type { RegistryLogins, SecretSealer } from './ports.ts';

export interface LoginStoreParts {
  readonly store: Store;
  readonly sealer: SecretSealer;
  readonly clock: Clock;
}

/** RegistryLogins out of etcd, read anew for each pull: a login is asked for seldom, and a deleted one must not be used again. */
export class RegistryLoginStore implements RegistryLogins {
  readonly #parts: LoginStoreParts;

  constructor(parts: LoginStoreParts) {
    this.#parts = parts;
  }

  async find(namespace: string, registry: string, signal: AbortSignal): Promise<RegistryLogin | undefined> {
    const stored = await this.#parts.store.get(keyOf(namespace, registry), signal);
    if (stored === undefined) {
      return undefined;
    }
    const record = decodeRegistryLogin(stored.value);
    return { username: record.username, password: Buffer.from(this.#parts.sealer.open(record, loginBinding(record))).toString('utf8') };
  }

  async list(namespace: string | undefined, signal: AbortSignal): Promise<readonly RegistryLoginRecord[]> {
    const { entries } = await this.#parts.store.list([loginPrefix(namespace)], signal);
    return entries.map(entry => decodeRegistryLogin(entry.value));
  }

  put(login: RegistryLogin & { readonly namespace: string; readonly registry: string }): Operation {
    const { namespace, registry, username } = login;
    const { nonce, sealed } = this.#parts.sealer.seal(Buffer.from(login.password), loginBinding(login));
    const record = { namespace, registry, username, keyId: this.#parts.sealer.keyId, nonce, sealed, createdAtMs: this.#parts.clock.nowMs() };
    return { kind: 'put', key: keyOf(namespace, registry), value: encodeRegistryLogin(record) };
  }

  delete(namespace: string, registry: string): Operation {
    return { kind: 'delete', key: keyOf(namespace, registry) };
  }
}

function keyOf(namespace: string, registry: string): string {
  return buildKey({ kind: 'registry-login', namespace, registry });
}

/** What a login is bound to when sealed, so that a record moved to another key, or with another user, does not open. */
export function loginBinding({ namespace, registry, username }: { readonly namespace: string; readonly registry: string; readonly username: string }): string {
  return `${namespace}/${registry}/${username}`;
}
