/**
 * An etcd in memory with the habits that matter to Gantry: one revision counter, compares, leases on a clock, watches by
 * revision, compaction, outages and pauses. It passes the contract suite that the real one passes.
 */
import { ClusterError } from '#model/errors.ts';
import { AmbiguousWriteError, CompactedError } from '../../controller/store/ports.ts';
import type { Compare, Operation, Store, StoreBatch, StoreChange, StoredKey, StoredValue, TransactOutcome } from '../../controller/store/ports.ts';
import { requireTransactable } from '../../controller/store/transaction-limits.ts';
import type { Clock } from '#kit/clock.ts';

interface Lease {
  readonly ttlMs: number;
  expiresAtMs: number;
}

/** The server: what all clients share. */
export class MemoryEtcd {
  readonly clock: Clock;
  #etcdRevision = 1;
  #compactRevision = 0;
  #entries = new Map<string, StoredValue & { readonly leaseId?: string }>();
  readonly #history: StoreBatch[] = [];
  readonly #leases = new Map<string, Lease>();
  #leaseCount = 0;
  readonly #watchers = new Set<() => void>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  connect(): MemoryStore {
    return new MemoryStore(this);
  }

  get etcdRevision(): number {
    return this.#etcdRevision;
  }

  read(key: string): StoredValue | undefined {
    this.#expireLeases();
    const entry = this.#entries.get(key);
    return entry === undefined ? undefined : plain(entry);
  }

  range(prefixes: readonly string[]): readonly StoredValue[] {
    this.#expireLeases();
    // One look at each key, however many prefixes there are.
    const isAsked = new RegExp(`^(?:${prefixes.map(prefix => prefix.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)).join('|')})`);
    const found = [...this.#entries.values()].filter(entry => isAsked.test(entry.key));
    return found.sort((a, b) => (a.key < b.key ? -1 : 1)).map(plain);
  }

  commit(compares: readonly Compare[], operations: readonly Operation[]): TransactOutcome {
    this.#expireLeases();
    const failed = compares.filter(compare => !this.#holds(compare)).map(compare => compare.key);
    if (failed.length > 0) {
      return { kind: 'refused', failed, etcdRevision: this.#etcdRevision };
    }
    for (const operation of operations) {
      if (operation.kind === 'put' && operation.leaseId !== undefined && !this.#leases.has(operation.leaseId)) {
        throw new ClusterError('NOT_FOUND', `lease ${operation.leaseId} is gone`);
      }
    }
    this.#write(operations);
    return { kind: 'committed', etcdRevision: this.#etcdRevision };
  }

  grant(ttlMs: number): string {
    this.#leaseCount += 1;
    const id = String(this.#leaseCount);
    this.#leases.set(id, { ttlMs, expiresAtMs: this.clock.monotonicMs() + ttlMs });
    void this.#expireLater(id);
    return id;
  }

  renew(leaseId: string): void {
    this.#expireLeases();
    const lease = this.#leases.get(leaseId);
    if (lease === undefined) {
      throw new ClusterError('NOT_FOUND', `lease ${leaseId} is gone`);
    }
    lease.expiresAtMs = this.clock.monotonicMs() + lease.ttlMs;
  }

  /** Ends a lease now, as `etcdctl lease revoke` or a pause of etcd does. */
  revoke(leaseId: string): void {
    if (!this.#leases.delete(leaseId)) {
      return;
    }
    const keys = [...this.#entries.values()].filter(entry => entry.leaseId === leaseId).map(entry => entry.key);
    this.#write(keys.map(key => ({ kind: 'delete', key })));
  }

  /** Source: measured; an etcd 3.5.16 that was stopped for longer than the leases' time drops them all when it goes on. */
  revokeAll(): void {
    for (const leaseId of [...this.#leases.keys()]) {
      this.revoke(leaseId);
    }
  }

  /** Every lease has its whole time again, as after an election among etcd's members. */
  extendLeases(): void {
    for (const lease of this.#leases.values()) {
      lease.expiresAtMs = this.clock.monotonicMs() + lease.ttlMs;
    }
  }

  compact(etcdRevision: number): void {
    this.#compactRevision = etcdRevision;
    while ((this.#history[0]?.etcdRevision ?? Number.POSITIVE_INFINITY) < etcdRevision) {
      this.#history.shift();
    }
  }

  /** Takes one delete out of the history: what a lost watch event looks like. */
  forgetEvent(etcdRevision: number): void {
    const index = this.#history.findIndex(batch => batch.etcdRevision === etcdRevision);
    if (index >= 0) {
      this.#history.splice(index, 1);
    }
  }

  /** @throws CompactedError when events after `afterRevision` may be gone */
  historyAfter(afterRevision: number): readonly StoreBatch[] {
    if (afterRevision + 1 < this.#compactRevision) {
      throw new CompactedError(this.#compactRevision);
    }
    let first = this.#history.length;
    while (first > 0 && (this.#history[first - 1]?.etcdRevision ?? 0) > afterRevision) {
      first -= 1;
    }
    return this.#history.slice(first);
  }

  onChange(wake: () => void): () => void {
    this.#watchers.add(wake);
    return () => { this.#watchers.delete(wake); };
  }

  #holds(compare: Compare): boolean {
    const entry = this.#entries.get(compare.key);
    const actual = compare.kind === 'create-revision' ? entry?.createRevision : entry?.modRevision;
    return (actual ?? 0) === compare.revision;
  }

  #write(operations: readonly Operation[]): void {
    const next = this.#etcdRevision + 1;
    const changes: StoreChange[] = [];
    for (const operation of operations) {
      const before = this.#entries.get(operation.key);
      if (operation.kind === 'delete') {
        if (this.#entries.delete(operation.key)) {
          changes.push({ kind: 'delete', key: operation.key, modRevision: next });
        }
        continue;
      }
      const entry = { key: operation.key, value: new Uint8Array(operation.value), createRevision: before?.createRevision ?? next, modRevision: next };
      this.#entries.set(operation.key, operation.leaseId === undefined ? entry : { ...entry, leaseId: operation.leaseId });
      changes.push({ kind: 'put', entry });
    }
    if (changes.length === 0) {
      return;
    }
    this.#etcdRevision = next;
    this.#history.push({ etcdRevision: next, changes });
    for (const wake of [...this.#watchers]) {
      wake();
    }
  }

  #expireLeases(): void {
    const nowMs = this.clock.monotonicMs();
    for (const [leaseId, lease] of this.#leases) {
      if (lease.expiresAtMs <= nowMs) {
        this.revoke(leaseId);
      }
    }
  }

  async #expireLater(leaseId: string): Promise<void> {
    const never = new AbortController().signal;
    for (let lease = this.#leases.get(leaseId); lease !== undefined; lease = this.#leases.get(leaseId)) {
      await this.clock.sleep(lease.expiresAtMs - this.clock.monotonicMs(), never);
      this.#expireLeases();
    }
  }
}

/** One client of it. `cut` and `heal` are its network; `swallowAnswers` applies writes but loses what etcd said. */
export class MemoryStore implements Store {
  readonly #etcd: MemoryEtcd;
  #isCut = false;
  #isClosed = false;
  /** Answers of the next writes that get lost after the write landed. */
  swallowAnswers = 0;
  /** Answers of the next writes that get lost, and the writes with them. */
  swallowWrites = 0;
  readonly #transitions = new Set<() => void>();

  constructor(etcd: MemoryEtcd) {
    this.#etcd = etcd;
  }

  cut(): void {
    this.#isCut = true;
  }

  heal(): void {
    this.#isCut = false;
    for (const wake of [...this.#transitions]) {
      wake();
    }
  }

  async get(key: string, signal?: AbortSignal): Promise<StoredValue | undefined> {
    await this.#reach(signal);
    return this.#etcd.read(key);
  }

  async list(prefix: string | readonly string[], signal?: AbortSignal): Promise<{ readonly etcdRevision: number; readonly entries: readonly StoredValue[] }> {
    await this.#reach(signal);
    const entries = this.#etcd.range(typeof prefix === 'string' ? [prefix] : prefix);
    return { etcdRevision: this.#etcd.etcdRevision, entries };
  }

  async listKeys(prefix: string | readonly string[], signal?: AbortSignal): Promise<{ readonly etcdRevision: number; readonly keys: readonly StoredKey[] }> {
    const { etcdRevision, entries } = await this.list(prefix, signal);
    return { etcdRevision, keys: entries.map(({ value: _, ...key }) => key) };
  }

  async *watch(prefix: string, afterRevision: number, signal: AbortSignal): AsyncIterable<StoreBatch> {
    let seen = afterRevision;
    while (!signal.aborted && !this.#isClosed) {
      const changed = this.#nextChange(signal);
      for (const batch of this.#isCut ? [] : this.#etcd.historyAfter(seen)) {
        seen = batch.etcdRevision;
        const changes = batch.changes.filter(change => keyOf(change).startsWith(prefix));
        if (changes.length > 0) {
          yield { etcdRevision: batch.etcdRevision, changes };
        }
        if (this.#isCut) {
          break;
        }
      }
      await changed;
    }
    signal.throwIfAborted();
  }

  async transact(compares: readonly Compare[], operations: readonly Operation[], signal?: AbortSignal): Promise<TransactOutcome> {
    requireTransactable(compares, operations);
    await this.#reach(signal);
    if (this.swallowWrites > 0) {
      this.swallowWrites -= 1;
      throw new AmbiguousWriteError('the write was lost');
    }
    const outcome = this.#etcd.commit(compares, operations);
    if (this.swallowAnswers > 0) {
      this.swallowAnswers -= 1;
      throw new AmbiguousWriteError('the answer was lost');
    }
    return outcome;
  }

  async grantLease(ttlMs: number): Promise<string> {
    await this.#reach();
    return this.#etcd.grant(ttlMs);
  }

  async renewLease(leaseId: string): Promise<void> {
    await this.#reach();
    this.#etcd.renew(leaseId);
  }

  async revokeLease(leaseId: string): Promise<void> {
    await this.#reach();
    this.#etcd.revoke(leaseId);
  }

  close(): void {
    this.#isClosed = true;
    for (const wake of [...this.#transitions]) {
      wake();
    }
  }

  async #reach(signal?: AbortSignal): Promise<void> {
    await Promise.resolve();
    signal?.throwIfAborted();
    if (this.#isCut) {
      throw new ClusterError('UNAVAILABLE', 'etcd is not reachable');
    }
  }

  /** Resolves at the next change of the server, of this client's network, or of `signal`. Call before reading the history. */
  #nextChange(signal: AbortSignal): Promise<void> {
    return new Promise<void>(resolve => {
      const wake = (): void => {
        stop();
        this.#transitions.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const stop = this.#etcd.onChange(wake);
      this.#transitions.add(wake);
      signal.addEventListener('abort', wake);
      if (signal.aborted) {
        wake();
      }
    });
  }
}

function keyOf(change: StoreChange): string {
  return change.kind === 'put' ? change.entry.key : change.key;
}

function plain(entry: StoredValue): StoredValue {
  return { key: entry.key, value: entry.value, createRevision: entry.createRevision, modRevision: entry.modRevision };
}
