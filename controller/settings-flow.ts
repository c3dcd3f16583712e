import type { Clock } from '#kit/clock.ts';
import { isRetryable } from '#model/errors.ts';
import type { ClusterSettings } from '#model/records.ts';
import { buildKey } from './store/keys.ts';
import type { Store } from './store/ports.ts';
import { decodeClusterSettings, encodeClusterSettings } from './store/records.ts';

const RETRY_MS = 500;
const KEY = buildKey({ kind: 'settings' });

/** The cluster's settings; `fresh` become them when there are none yet. Waits for etcd as long as `signal` lets it. */
export async function requireSettings(store: Store, fresh: ClusterSettings, clock: Clock, signal: AbortSignal): Promise<ClusterSettings> {
  for (;;) {
    try {
      const entry = await store.get(KEY, signal);
      if (entry !== undefined) {
        return decodeClusterSettings(entry.value);
      }
      await store.transact([{ kind: 'mod-revision', key: KEY, revision: 0 }], [{ kind: 'put', key: KEY, value: encodeClusterSettings(fresh) }], signal);
      // Read again: another controller may have been first.
      continue;
    } catch (error) {
      signal.throwIfAborted();
      if (!isRetryable(error)) {
        throw error;
      }
    }
    await clock.sleep(RETRY_MS, signal);
  }
}
