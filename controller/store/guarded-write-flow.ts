import { AmbiguousWriteError } from './ports.ts';
import type { Compare, Operation, Store, TransactOutcome } from './ports.ts';

/** `isRepeat`: it was sent twice, so a refusal may be for its own first sending. */
export type GuardedOutcome = TransactOutcome & { readonly isRepeat: boolean };

/**
 * Like `transact`, for a write that compares a key which it changes: so it lands at most once however often it is sent, and is sent once
 * more when it is not known whether it did. `refused` may then mean that it landed: the caller reads again.
 *
 * @throws AmbiguousWriteError when the second answer is unclear too
 */
export async function transactGuarded(store: Store, compares: readonly Compare[], operations: readonly Operation[], signal: AbortSignal): Promise<GuardedOutcome> {
  try {
    return { ...await store.transact(compares, operations, signal), isRepeat: false };
  } catch (error) {
    if (!(error instanceof AmbiguousWriteError)) throw error;
    return { ...await store.transact(compares, operations, signal), isRepeat: true };
  }
}
