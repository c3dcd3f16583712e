/** etcd as its clients reach it: answers that come late, twice too late or never, a server that pauses, restarts, elects and compacts. */
import { ClusterError } from '#model/errors.ts';
import { AmbiguousWriteError } from '../../controller/store/ports.ts';
import type { Compare, Operation, Store, StoreBatch, StoredKey, StoredValue, TransactOutcome } from '../../controller/store/ports.ts';
import { requireTransactable } from '../../controller/store/transaction-limits.ts';
import { MemoryEtcd } from '../support/memory-store.ts';
import type { SimNet } from './sim-net.ts';
import { SimProcess, waitingUnder } from './sim-time.ts';
import type { SimTime } from './sim-time.ts';

/** Who wrote, as the checker must know it. */
export interface Writer {
  readonly client: string;
  /** Epoch of the term that the write was begun in; undefined: not a write of a leader. */
  readonly epoch?: number;
  readonly compares: readonly Compare[];
  readonly operations: readonly Operation[];
}

const ETCD = 'etcd';
/** A call without an answer ends. Source: controller/store/ports.ts, rule 6. */
const CALL_LIMIT_MS = 5_000;

/** The server. `onCommit` hears of each revision, with its writer; none: a lease that ended. */
export class SimEtcd {
  readonly process: SimProcess;
  readonly memory: MemoryEtcd;
  readonly net: SimNet;
  readonly time: SimTime;
  readonly onCommit: (batch: StoreBatch, writer: Writer | undefined) => void;
  #seenRevision = 1;
  #writer: Writer | undefined;
  #isDown = false;
  #queue: (() => void)[] = [];
  readonly #senders = new Set<(writer: Writer) => void>();

  constructor(time: SimTime, net: SimNet, onCommit: (batch: StoreBatch, writer: Writer | undefined) => void) {
    this.time = time;
    this.net = net;
    this.onCommit = onCommit;
    this.process = new SimProcess(time);
    this.memory = new MemoryEtcd(this.process);
    this.memory.onChange(() => { this.#tell(); });
  }

  get isUp(): boolean {
    return !this.#isDown && this.process.isRunning;
  }

  /** A call arrived: it waits while the server does not serve, and runs then, whoever still waits for it. */
  serve(work: () => void): void {
    if (this.#isDown) {
      this.#queue.push(work);
    } else {
      this.process.enter(work);
    }
  }

  /** Told of each write before it is sent, until the returned function is called. */
  onSend(listener: (writer: Writer) => void): () => void {
    this.#senders.add(listener);
    return () => { this.#senders.delete(listener); };
  }

  sending(writer: Writer): void {
    for (const listener of [...this.#senders]) listener(writer);
  }

  write(writer: Writer): TransactOutcome {
    this.#writer = writer;
    try {
      return this.memory.commit(writer.compares, writer.operations);
    } finally {
      this.#writer = undefined;
    }
  }

  /** No member leads: nothing is served; the new leader gives every lease its whole time again. Source: etcd, lessor promote */
  stopServing(): void {
    this.#isDown = true;
  }

  serveAgain(): void {
    this.memory.extendLeases();
    this.#isDown = false;
    const queue = this.#queue;
    this.#queue = [];
    queue.forEach(work => { this.process.enter(work); });
  }

  /** Killed: calls that waited in it are gone. */
  restart(): void {
    this.#queue = [];
    this.serveAgain();
  }

  #tell(): void {
    for (const batch of this.memory.historyAfter(this.#seenRevision)) {
      this.#seenRevision = batch.etcdRevision;
      this.onCommit(batch, this.#writer);
    }
  }
}

/** One process's client. */
export class SimStore implements Store {
  readonly #etcd: SimEtcd;
  readonly #process: SimProcess;
  readonly #name: string;
  readonly #epoch: () => number | undefined;

  /** @param epoch  of the term that a write begun now belongs to */
  constructor(etcd: SimEtcd, process: SimProcess, name: string, epoch: () => number | undefined = () => undefined) {
    this.#etcd = etcd;
    this.#process = process;
    this.#name = name;
    this.#epoch = epoch;
  }

  get(key: string, signal?: AbortSignal): Promise<StoredValue | undefined> {
    return this.#call(() => this.#etcd.memory.read(key), false, signal);
  }

  list(prefix: string | readonly string[], signal?: AbortSignal): Promise<{ readonly etcdRevision: number; readonly entries: readonly StoredValue[] }> {
    return this.#call(() => {
      const entries = this.#etcd.memory.range(typeof prefix === 'string' ? [prefix] : prefix);
      return { etcdRevision: this.#etcd.memory.etcdRevision, entries };
    }, false, signal);
  }

  async listKeys(prefix: string | readonly string[], signal?: AbortSignal): Promise<{ readonly etcdRevision: number; readonly keys: readonly StoredKey[] }> {
    const { etcdRevision, entries } = await this.list(prefix, signal);
    return { etcdRevision, keys: entries.map(({ value: _, ...key }) => key) };
  }

  async transact(compares: readonly Compare[], operations: readonly Operation[], signal?: AbortSignal): Promise<TransactOutcome> {
    requireTransactable(compares, operations);
    const epoch = this.#epoch();
    const writer: Writer = { client: this.#name, compares, operations, ...(epoch === undefined ? {} : { epoch }) };
    this.#etcd.sending(writer);
    return await this.#call(() => this.#etcd.write(writer), true, signal);
  }

  grantLease(ttlMs: number): Promise<string> {
    return this.#call(() => this.#etcd.memory.grant(ttlMs), false);
  }

  renewLease(leaseId: string): Promise<void> {
    return this.#call(() => { this.#etcd.memory.renew(leaseId); }, false);
  }

  revokeLease(leaseId: string): Promise<void> {
    return this.#call(() => { this.#etcd.memory.revoke(leaseId); }, false);
  }

  async *watch(prefix: string, afterRevision: number, signal: AbortSignal): AsyncIterable<StoreBatch> {
    let seen = afterRevision;
    for (;;) {
      signal.throwIfAborted();
      const { memory } = this.#etcd;
      const isHearing = seen < memory.etcdRevision && this.#isReachable();
      const batches = isHearing ? memory.historyAfter(seen) : [];
      // Also past an event that was lost: nobody is told of it later.
      seen = isHearing ? memory.etcdRevision : seen;
      for (const batch of batches) {
        const changes = batch.changes.filter(change => (change.kind === 'put' ? change.entry.key : change.key).startsWith(prefix));
        if (changes.length > 0) {
          yield { etcdRevision: batch.etcdRevision, changes };
        }
      }
      await this.#nextChange(seen, signal);
    }
  }

  close(): void { /* a process that ends is killed */ }

  #isReachable(): boolean {
    return this.#etcd.isUp && !this.#etcd.net.isCut(ETCD, this.#name);
  }

  /** Resolves a network delay after the next change, or, where that cannot be heard of, with the next look. */
  async #nextChange(seen: number, signal: AbortSignal): Promise<void> {
    const { memory, net, time } = this.#etcd;
    const waiting = waitingUnder(signal);
    await new Promise<void>(resolve => {
      const wake = (): void => {
        stop();
        stopLooking();
        waiting.delete(wake);
        this.#process.enter(resolve);
      };
      const heard = (): void => {
        stop();
        net.send(ETCD, this.#name, wake);
      };
      const stop = memory.onChange(heard);
      const stopLooking = memory.etcdRevision > seen ? time.after(500, wake) : (): void => undefined;
      waiting.add(wake);
      if (memory.etcdRevision > seen && this.#isReachable()) heard();
    });
  }

  #call<Result>(work: () => Result, isWrite: boolean, signal?: AbortSignal): Promise<Result> {
    const { net, time } = this.#etcd;
    return this.#process.answer<Result>((resolve, reject) => {
      signal?.throwIfAborted();
      const waiting = signal === undefined ? undefined : waitingUnder(signal);
      let isOver = false;
      const end = (finish: () => void): void => {
        if (!isOver) {
          isOver = true;
          stop();
          waiting?.delete(onAbort);
          finish();
        }
      };
      const onAbort = (): void => { end(() => { reject(signal?.reason); }); };
      const stop = time.after(CALL_LIMIT_MS, () => {
        end(() => { reject(isWrite ? new AmbiguousWriteError('etcd did not answer') : new ClusterError('UNAVAILABLE', 'etcd did not answer')); });
      });
      waiting?.add(onAbort);
      net.send(this.#name, ETCD, () => {
        this.#etcd.serve(() => {
          let answer: () => void;
          try {
            const result = work();
            answer = () => { resolve(result); };
          } catch (error) {
            answer = () => { reject(error); };
          }
          net.send(ETCD, this.#name, () => { end(answer); });
        });
      });
    });
  }
}
