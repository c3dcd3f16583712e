/** The fence: every write of the leader compares the create revision of the leader key, its epoch (reliability 4.1). */
import { buildKey } from './keys.ts';
import type { Compare } from './ports.ts';

export const LEADER_KEY = buildKey({ kind: 'leader' });

/** What every write of epoch `epoch` compares. */
export function compareEpoch(epoch: number): Compare {
  return { kind: 'create-revision', key: LEADER_KEY, revision: epoch };
}

/** True when a refusal means that the epoch is over. */
export function isEpochRefused(failed: readonly string[]): boolean {
  return failed.includes(LEADER_KEY);
}
