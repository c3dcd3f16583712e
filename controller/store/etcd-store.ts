/**
 * The Store over a real etcd. etcd3 is used as a transport only: its retries would repeat a write that landed, its circuit
 * breaker would lock us out after an oversized request, and its watcher loses events while it catches up.
 */
import {
  EtcdLeaseInvalidError, GRPCDeadlineExceededError, GRPCInvalidArgumentError, GRPCOutOfRangeError, GRPCResourceExhastedError,
} from 'etcd3';
import type { Etcd3, ICompare, IEvent, IRangeResponse, IRequestOp, IWatchResponse } from 'etcd3';
import { backoffMs } from '#kit/backoff.ts';
import type { Backoff } from '#kit/backoff.ts';
import { systemClock } from '#kit/clock.ts';
import { untilAborted } from '#kit/until-aborted.ts';
import { ClusterError, isClusterError } from '#model/errors.ts';
import { EtcdMembers } from './etcd-members-store.ts';
import type { EtcdAccess, EtcdTls } from './etcd-members-store.ts';
import { mayAskAnother, nextTryMs } from './etcd-tries.ts';
import type { CallKind } from './etcd-tries.ts';
import { AmbiguousWriteError, CompactedError, revisionOf } from './ports.ts';
import type { Compare, Operation, Store, StoreBatch, StoreChange, StoredKey, StoredValue, TransactOutcome } from './ports.ts';
import { FIRST_PAGE_KEYS, nextPageKeys } from './page-size.ts';
import { requireTransactable } from './transaction-limits.ts';

export interface EtcdOptions extends EtcdAccess {
  /** Told the time that each call took, for metrics. */
  readonly onCall?: (operation: StoreOperation, durationMs: number) => void;
}

export type StoreOperation = 'range' | 'txn' | 'lease';

const MAX_LIST_TRIES = 3;
const WATCH_BACKOFF: Backoff = { firstMs: 100, maxMs: 1_000 };

/** grpc-js's, by way of etcd3. */
type Interceptor = NonNullable<NonNullable<Parameters<Etcd3['watchClient']['watch']>[0]>['interceptors']>[number];

/** Rules: `ports.ts`. */
export class EtcdStore implements Store {
  readonly #members: EtcdMembers;
  readonly #tries: number;
  readonly #onCall: (operation: StoreOperation, durationMs: number) => void;

  constructor(options: EtcdOptions) {
    this.#members = new EtcdMembers(options);
    this.#tries = this.#members.count + 1;
    this.#onCall = options.onCall ?? (() => undefined);
  }

  async get(key: string, signal?: AbortSignal): Promise<StoredValue | undefined> {
    const answer = await this.#range({ key: Buffer.from(key) }, signal);
    return answer.kvs.map(toStoredValue)[0];
  }

  async list(prefix: string | readonly string[], signal?: AbortSignal): Promise<{ readonly etcdRevision: number; readonly entries: readonly StoredValue[] }> {
    return await this.#listWhole(prefix, false, signal);
  }

  async listKeys(prefix: string | readonly string[], signal?: AbortSignal): Promise<{ readonly etcdRevision: number; readonly keys: readonly StoredKey[] }> {
    const { etcdRevision, entries } = await this.#listWhole(prefix, true, signal);
    return { etcdRevision, keys: entries.map(({ value: _, ...key }) => key) };
  }

  async #listWhole(prefix: string | readonly string[], isKeysOnly: boolean, signal?: AbortSignal): Promise<{ readonly etcdRevision: number; readonly entries: readonly StoredValue[] }> {
    const prefixes = typeof prefix === 'string' ? [prefix] : [...prefix].sort();
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#listPinned(prefixes, isKeysOnly, signal);
      } catch (error) {
        // The pinned revision was compacted between two pages: begin again at the newest one.
        if (!(error instanceof CompactedError) || attempt === MAX_LIST_TRIES) {
          throw error;
        }
      }
    }
  }

  async *watch(prefix: string, afterRevision: number, signal: AbortSignal): AsyncIterable<StoreBatch> {
    let seenRevision = afterRevision;
    for (let attempt = 1; ; attempt += 1) {
      try {
        for await (const batch of this.#watchOnce(prefix, seenRevision, signal)) {
          seenRevision = batch.etcdRevision;
          attempt = 1;
          yield batch;
        }
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof CompactedError) {
          throw error;
        }
        // The stream broke: go on after the last event seen, as soon as some member answers.
      }
      await systemClock.sleep(backoffMs(WATCH_BACKOFF, attempt, Math.random()), signal);
    }
  }

  async transact(compares: readonly Compare[], operations: readonly Operation[], signal?: AbortSignal): Promise<TransactOutcome> {
    requireTransactable(compares, operations);
    const answer = await this.#call('txn', 'once', signal, (client, deadline) => client.kv.txn({
      compare: compares.map(toCompare),
      success: operations.map(toRequest),
      failure: compares.map(compare => ({ request_range: { key: Buffer.from(compare.key), keys_only: true } })),
    }, { deadline }));
    if (answer.succeeded) {
      return { kind: 'committed', etcdRevision: Number(answer.header.revision) };
    }
    const failed = compares.filter((compare, index) => {
      const entry = answer.responses[index]?.response_range.kvs[0];
      const actual = compare.kind === 'create-revision' ? entry?.create_revision : entry?.mod_revision;
      return Number(actual ?? 0) !== compare.revision;
    });
    return { kind: 'refused', failed: failed.map(compare => compare.key), etcdRevision: Number(answer.header.revision) };
  }

  async grantLease(ttlMs: number): Promise<string> {
    // A grant whose answer was lost expires by itself.
    const answer = await this.#call('lease', 'repeatable', undefined, (client, deadline) => client.leaseClient.leaseGrant({ TTL: Math.ceil(ttlMs / 1_000), ID: 0 }, { deadline }));
    return answer.ID;
  }

  async renewLease(leaseId: string): Promise<void> {
    await this.#call('lease', 'repeatable', undefined, (client, deadline) => keepAliveOnce(client, leaseId, deadline));
  }

  async revokeLease(leaseId: string): Promise<void> {
    try {
      // One that was revoked is NOT_FOUND the second time.
      await this.#call('lease', 'repeatable', undefined, (client, deadline) => client.leaseClient.leaseRevoke({ ID: leaseId }, { deadline }));
    } catch (error) {
      if (!(error instanceof ClusterError && error.code === 'NOT_FOUND')) {
        throw error;
      }
    }
  }

  /** Shows this certificate from the next connection on. */
  useTls(tls: EtcdTls): void {
    this.#members.useTls(tls);
  }

  close(): void {
    this.#members.close();
  }

  async #listPinned(prefixes: readonly string[], isKeysOnly: boolean, signal?: AbortSignal): Promise<{ etcdRevision: number; entries: StoredValue[] }> {
    const entries: StoredValue[] = [];
    let etcdRevision = 0;
    for (const prefix of prefixes) {
      let from: Buffer | undefined = Buffer.from(prefix);
      let limit = FIRST_PAGE_KEYS;
      while (from !== undefined) {
        const request = { key: from, range_end: rangeEnd(prefix), revision: etcdRevision, keys_only: isKeysOnly };
        const answer: IRangeResponse = await this.#page(request, limit, signal);
        etcdRevision ||= Number(answer.header.revision);
        limit = nextPageKeys(answer.kvs.length, answer.kvs.reduce((sum, { key, value }) => sum + key.length + value.length, 0));
        entries.push(...answer.kvs.map(toStoredValue));
        const last = answer.kvs.at(-1);
        from = answer.more && last !== undefined ? Buffer.concat([last.key, Buffer.from([0])]) : undefined;
      }
    }
    return { etcdRevision, entries };
  }

  /** A page of at most `limit` keys; of fewer where so many do not fit in one message. */
  async #page(request: { key: Buffer; range_end: Buffer; revision: number; keys_only: boolean }, limit: number, signal?: AbortSignal): Promise<IRangeResponse> {
    for (let count = limit; ; count = Math.floor(count / 2)) {
      try {
        return await this.#range({ ...request, limit: count }, signal);
      } catch (error) {
        if (!isClusterError(error, 'RESOURCE_EXHAUSTED') || count <= 1) throw error;
      }
    }
  }

  async #range(request: { key: Buffer; range_end?: Buffer; limit?: number; revision?: number; keys_only?: boolean }, signal?: AbortSignal): Promise<IRangeResponse> {
    return await this.#call('range', 'repeatable', signal, (client, deadline) => client.kv.range(request, { deadline }));
  }

  /**
   * One watch stream until it breaks. The header of an answer counts for nothing: while etcd catches up it carries the store's
   * revision, not that of the events.
   */
  async *#watchOnce(prefix: string, afterRevision: number, signal: AbortSignal): AsyncIterable<StoreBatch> {
    signal.throwIfAborted();
    const { client, left } = this.#members.current;
    const stream = await client.watchClient.watch({ interceptors: [requireLeader as Interceptor] });
    const cancel = (): void => { stream.cancel(); };
    signal.addEventListener('abort', cancel);
    left.addEventListener('abort', cancel);
    if (signal.aborted || left.aborted) cancel(); // while it was opened
    try {
      stream.write({ create_request: {
        key: Buffer.from(prefix), range_end: rangeEnd(prefix), start_revision: String(afterRevision + 1), progress_notify: true,
        // What is larger than a message comes in several: while etcd catches up many revisions, or one.
        fragment: true,
      } });
      const events: IEvent[] = [];
      // grpc-js streams are Node streams; etcd3's types leave that out.
      for await (const answer of stream as unknown as AsyncIterable<IWatchResponse>) {
        signal.throwIfAborted();
        requireWatching(answer);
        events.push(...answer.events);
        // Another fragment may have more of the newest revision, and of that one alone.
        const count = answer.fragment ? earlierThanLast(events) : events.length;
        const changes = events.splice(0, count).map(toChange).filter(change => revisionOf(change) > afterRevision);
        const last = changes.at(-1);
        if (last !== undefined) {
          yield { etcdRevision: revisionOf(last), changes };
        }
      }
    } finally {
      signal.removeEventListener('abort', cancel);
      left.removeEventListener('abort', cancel);
      stream.cancel();
    }
  }

  /**
   * Makes the call. A member that does not answer is left for the next one, for all calls; this call goes there too, within its time, where it surely
   * did nothing, or may be repeated.
   */
  async #call<T>(operation: StoreOperation, kind: CallKind, signal: AbortSignal | undefined, call: (client: Etcd3, deadline: number) => Promise<T>): Promise<T> {
    const memberCount = this.#members.count;
    const beganAtMs = performance.now();
    let tryMs = nextTryMs({ kind, memberCount }, 0);
    for (let attempt = 1; ; attempt += 1) {
      signal?.throwIfAborted();
      const member = this.#members.current;
      const startedAtMs = performance.now();
      try {
        const answer = await untilAborted(call(member.client, Date.now() + tryMs), signal);
        this.#onCall(operation, performance.now() - startedAtMs);
        return answer;
      } catch (error) {
        signal?.throwIfAborted();
        const failure = translate(error, kind);
        if (!isClusterError(failure, 'UNAVAILABLE')) {
          throw failure;
        }
        this.#members.leave(member);
        tryMs = nextTryMs({ kind, memberCount }, performance.now() - beganAtMs);
        if (attempt >= this.#tries || tryMs === 0 || !(isNeverSent(error) || mayAskAnother(kind, memberCount))) {
          throw failure;
        }
      }
    }
  }
}

async function keepAliveOnce(client: Etcd3, leaseId: string, deadline: number): Promise<void> {
  const stream = await client.leaseClient.leaseKeepAlive({ deadline });
  try {
    stream.write({ ID: leaseId });
    for await (const answer of stream as unknown as AsyncIterable<{ readonly TTL: string }>) {
      if (Number(answer.TTL) <= 0) {
        throw new ClusterError('NOT_FOUND', `lease ${leaseId} is gone`);
      }
      return;
    }
    throw new ClusterError('UNAVAILABLE', 'etcd ended the keep-alive stream');
  } finally {
    stream.cancel();
  }
}

/** True when no byte of the request left. Source: grpc-js, load-balancer-pick-first.ts and internal-channel.ts, their texts. */
function isNeverSent(error: unknown): boolean {
  return error instanceof Error && /No connection established|Channel closed before call started/.test(error.message);
}

function translate(error: unknown, kind: CallKind): Error {
  if (error instanceof ClusterError) {
    return error;
  }
  if (error instanceof GRPCResourceExhastedError) {
    const why = /space exceeded/.test(error.message)
      ? `its space is used up (${error.message}); raise --quota-backend-bytes, history is compacted without you`
      : error.message;
    return new ClusterError('RESOURCE_EXHAUSTED', `etcd refuses: ${why}`, { cause: error });
  }
  if (error instanceof EtcdLeaseInvalidError) {
    return new ClusterError('NOT_FOUND', 'the lease is gone', { cause: error });
  }
  if (error instanceof GRPCOutOfRangeError) {
    return new CompactedError(0);
  }
  if (error instanceof GRPCInvalidArgumentError) {
    return error;
  }
  const cause = error instanceof GRPCDeadlineExceededError ? 'no answer in time' : String(error);
  return kind === 'once' && !isNeverSent(error)
    ? new AmbiguousWriteError(`etcd write: ${cause}`, { cause: error })
    : new ClusterError('UNAVAILABLE', `etcd is not reachable: ${cause}`, { cause: error });
}

/**
 * A member that is cut off from its leader ends a watch that asks for one, instead of keeping it open and silent.
 * Source: etcd, clientv3, WithRequireLeader: the request carries `hasleader: true`
 */
function requireLeader(...[options, nextCall]: Parameters<Interceptor>): ReturnType<Parameters<Interceptor>[1]> {
  const call = nextCall(options);
  const start = call.start.bind(call);
  call.start = (metadata, ...rest) => {
    // etcd3 keeps one object for all its calls.
    const asking = metadata.clone();
    asking.set('hasleader', 'true');
    start(asking, ...rest);
  };
  return call;
}

/** @throws CompactedError, or Error when etcd ended this watch for another reason */
function requireWatching(answer: IWatchResponse): void {
  if (!answer.canceled) {
    return;
  }
  throw answer.compact_revision === '0' ? new Error(`etcd ended the watch: ${answer.cancel_reason}`) : new CompactedError(Number(answer.compact_revision));
}

/** How many of the events, which are in order, are of revisions before the last one. */
function earlierThanLast(events: readonly IEvent[]): number {
  const last = events.at(-1)?.kv.mod_revision;
  return Math.max(0, events.findIndex(event => event.kv.mod_revision === last));
}

/** End of the range of all keys with the prefix. Source: etcd API, "Key ranges": the prefix with its last byte raised. */
function rangeEnd(prefix: string): Buffer {
  const end = Buffer.from(prefix);
  end.writeUInt8(end.readUInt8(end.length - 1) + 1, end.length - 1);
  return end;
}

function toStoredValue(entry: { key: Buffer; value: Buffer; create_revision: string; mod_revision: string }): StoredValue {
  return { key: entry.key.toString(), value: entry.value, createRevision: Number(entry.create_revision), modRevision: Number(entry.mod_revision) };
}

function toChange(event: IEvent): StoreChange {
  // etcd3's types say `Put`; the wire's names arrive.
  const isDelete = event.type.toUpperCase() === 'DELETE';
  return isDelete
    ? { kind: 'delete', key: event.kv.key.toString(), modRevision: Number(event.kv.mod_revision) }
    : { kind: 'put', entry: toStoredValue(event.kv) };
}

function toCompare(compare: Compare): ICompare {
  const key = Buffer.from(compare.key);
  return compare.kind === 'create-revision'
    ? { result: 'Equal', target: 'Create', key, create_revision: String(compare.revision) }
    : { result: 'Equal', target: 'Mod', key, mod_revision: String(compare.revision) };
}

function toRequest(operation: Operation): IRequestOp {
  const key = Buffer.from(operation.key);
  return operation.kind === 'delete'
    ? { request_delete_range: { key } }
    : { request_put: { key, value: Buffer.from(operation.value), lease: operation.leaseId ?? 0 } };
}
