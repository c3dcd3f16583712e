import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import type { Loop } from '#kit/supervise-loop.ts';
import { secretBinding } from '../api/content-flow.ts';
import type { SecretSealer } from '../api/ports.ts';
import { loginBinding } from '../api/registry-login-store.ts';
import { lookWhileLeader } from '../leader-interval-loop.ts';
import { DeposedError } from '../leadership-loop.ts';
import type { Leadership } from '../leadership-loop.ts';
import { compareEpoch, isEpochRefused } from '../store/epoch.ts';
import { prefixOf } from '../store/keys.ts';
import type { Store, StoredValue } from '../store/ports.ts';
import { decodeRegistryLogin, decodeSecretVersion, encodeRegistryLogin, encodeSecretVersion } from '../store/records.ts';

export interface KeyRotationOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly sealer: SecretSealer;
}

type Sealed = Parameters<SecretSealer['open']>[0];

const INTERVAL_MS = 60_000;

/**
 * While leader: rewrites secrets and registry logins that another key than the first one sealed.
 *
 * A record keeps its key and its version; only how it is sealed changes. One that cannot be opened is left as it is, and the
 * others are rewritten all the same. What was seen with the first key is read again only after it changed.
 */
export class KeyRotationLoop implements Loop {
  readonly #options: KeyRotationOptions;
  readonly #leadership: Leadership;
  #done: ReadonlyMap<string, number> = new Map();

  constructor(options: KeyRotationOptions, leadership: Leadership) {
    this.#options = options;
    this.#leadership = leadership;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    await lookWhileLeader(async () => { await this.#look(signal); }, { intervalMs: INTERVAL_MS, failure: 'secrets could not be sealed with the first key', clock, logger }, signal);
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { logger, sealer, store } = this.#options;
    const { keys } = await store.listKeys([prefixOf('secret'), prefixOf('registry-login')], signal);
    const done = new Map<string, number>();
    const failures: string[] = [];
    let rewritten = 0;
    for (const { key, modRevision } of keys) {
      const before = this.#done.get(key) === modRevision ? 'sealed' : await this.#reseal(key, failures, signal);
      if (before === 'sealed') done.set(key, modRevision);
      if (before === 'rewritten') rewritten += 1;
    }
    this.#done = done;
    if (rewritten > 0 || failures.length > 0) {
      logger.info({ keyId: sealer.keyId, rewritten, failed: failures.length, example: failures[0] }, 'secrets were sealed with the first key of the secrets key file');
    }
  }

  /** @throws DeposedError */
  async #reseal(key: string, failures: string[], signal: AbortSignal): Promise<'sealed' | 'rewritten' | 'left'> {
    const { store, sealer } = this.#options;
    const entry = await store.get(key, signal);
    if (entry === undefined) return 'left';
    let value: Uint8Array | undefined;
    try {
      value = resealed(entry, sealer);
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
      return 'left';
    }
    return value === undefined ? 'sealed' : await this.#write(entry, value, signal);
  }

  async #write({ key, modRevision }: StoredValue, value: Uint8Array, signal: AbortSignal): Promise<'rewritten' | 'left'> {
    if (!this.#leadership.isHeld()) {
      throw new DeposedError('the lease was not renewed in time');
    }
    const outcome = await this.#options.store.transact(
      [compareEpoch(this.#leadership.epoch), { kind: 'mod-revision', key, revision: modRevision }], [{ kind: 'put', key, value }], signal);
    if (outcome.kind === 'refused' && isEpochRefused(outcome.failed)) {
      throw new DeposedError('a write was refused for its epoch');
    }
    return outcome.kind === 'committed' ? 'rewritten' : 'left';
  }
}

/** The record sealed with the first key; undefined where it is. @throws ClusterError, RecordError */
function resealed({ key, value }: StoredValue, sealer: SecretSealer): Uint8Array | undefined {
  if (key.startsWith(prefixOf('secret'))) {
    const record = decodeSecretVersion(value);
    const next = sealAgain(record, secretBinding(record.namespace, record.name, record.version), sealer);
    return next && encodeSecretVersion({ ...record, ...next });
  }
  const record = decodeRegistryLogin(value);
  const next = sealAgain(record, loginBinding(record), sealer);
  return next && encodeRegistryLogin({ ...record, ...next });
}

function sealAgain(record: Sealed, binding: string, sealer: SecretSealer): Sealed | undefined {
  return record.keyId === sealer.keyId ? undefined : { keyId: sealer.keyId, ...sealer.seal(sealer.open(record, binding), binding) };
}
