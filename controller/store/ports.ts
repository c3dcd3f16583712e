/**
 * The Store: what Gantry needs of etcd, and no more. Real in `etcd-store.ts`, in memory in `test/support/memory-store.ts`; both pass one contract suite.
 *
 * 1. Revisions are etcd's: one counter for all keys, raised by each committed transaction. Numbers are safe integers.
 * 2. `transact` lands whole or not at all. It is never retried inside: where it is unknown whether it landed it throws
 *    `AmbiguousWriteError`, and the caller reads back.
 * 3. A transaction has at most 120 operations and 1 MiB; more is FAILED_PRECONDITION before anything is sent.
 * 4. `watch` yields every change after `afterRevision`, in order, none twice, across reconnects. Compacted past: throws `CompactedError`; list again.
 * 5. A lease deleted by etcd removes its keys; that never means that a node is lost (reliability 3).
 * 6. Not reachable: ClusterError UNAVAILABLE within 5 s. Space used up: RESOURCE_EXHAUSTED.
 */
import { ClusterError } from '#model/errors.ts';
import type { EtcdSpace } from './etcd-space.ts';

export interface StoredValue {
  readonly key: string;
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
}

/** What is told of a key where its value does not matter. */
export type StoredKey = Omit<StoredValue, 'value'>;

export type Compare =
  /** The key's create revision; 0 = the key does not exist. */
  | { readonly kind: 'create-revision'; readonly key: string; readonly revision: number }
  /** The key's modification revision; 0 = the key does not exist. */
  | { readonly kind: 'mod-revision'; readonly key: string; readonly revision: number };

export type Operation =
  | { readonly kind: 'put'; readonly key: string; readonly value: Uint8Array; readonly leaseId?: string }
  | { readonly kind: 'delete'; readonly key: string };

export type TransactOutcome =
  | { readonly kind: 'committed'; readonly etcdRevision: number }
  /** Some compare did not hold; nothing was written. `failed` are the keys whose compare fails now (read in the same transaction), at `etcdRevision`. */
  | { readonly kind: 'refused'; readonly failed: readonly string[]; readonly etcdRevision: number };

export type StoreChange =
  | { readonly kind: 'put'; readonly entry: StoredValue }
  | { readonly kind: 'delete'; readonly key: string; readonly modRevision: number };

export function revisionOf(change: StoreChange): number {
  return change.kind === 'put' ? change.entry.modRevision : change.modRevision;
}

/** All changes of one or more whole transactions, up to and including `etcdRevision`. */
export interface StoreBatch {
  readonly etcdRevision: number;
  readonly changes: readonly StoreChange[];
}

export interface Store {
  get(key: string, signal?: AbortSignal): Promise<StoredValue | undefined>;
  /** All keys with the prefix, or with any of several that do not overlap, sorted, all at one pinned revision, paged inside. */
  list(prefix: string | readonly string[], signal?: AbortSignal): Promise<{ readonly etcdRevision: number; readonly entries: readonly StoredValue[] }>;
  /** As `list`, without the values: they may be many megabytes. */
  listKeys(prefix: string | readonly string[], signal?: AbortSignal): Promise<{ readonly etcdRevision: number; readonly keys: readonly StoredKey[] }>;
  watch(prefix: string, afterRevision: number, signal: AbortSignal): AsyncIterable<StoreBatch>;
  transact(compares: readonly Compare[], operations: readonly Operation[], signal?: AbortSignal): Promise<TransactOutcome>;
  grantLease(ttlMs: number): Promise<string>;
  /** Resolves when etcd confirmed one renewal. @throws ClusterError NOT_FOUND when the lease is gone */
  renewLease(leaseId: string): Promise<void>;
  revokeLease(leaseId: string): Promise<void>;
  close(): void;
}

/**
 * Space of the store. `read` never throws: members that do not answer are left out. The other calls throw what etcd answered.
 * `defragment` stops one member for its length, so a caller makes one at a time.
 */
export interface SpaceKeeper {
  read(): Promise<EtcdSpace>;
  compact(etcdRevision: number): Promise<void>;
  defragment(host: string): Promise<void>;
  /** Ends the NOSPACE alarm of every member. */
  disarm(): Promise<void>;
}

/** The write may or may not have landed. Settle it by reading back; who cannot is told what to look at before another try. */
export class AmbiguousWriteError extends ClusterError {
  constructor(message: string, options: { readonly cause?: unknown } = {}) {
    super('UNAVAILABLE', `${message}; it is not known whether this was written: look whether it was, then try again`, options);
  }
}

/** The watch's start was compacted away; list again. */
export class CompactedError extends Error {
  override readonly name = 'CompactedError';
  readonly compactRevision: number;
  constructor(compactRevision: number) {
    super(`watch start was compacted; the oldest revision is ${String(compactRevision)}`);
    this.compactRevision = compactRevision;
  }
}
