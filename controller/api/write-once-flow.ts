import { ClusterError } from '#model/errors.ts';
import type { RequestRecord } from '#model/records.ts';
import type { Clock } from '#kit/clock.ts';
import { decodeRequestRecord, encodeRequestRecord } from '../store/records.ts';
import { buildKey } from '../store/keys.ts';
import { AmbiguousWriteError } from '../store/ports.ts';
import type { Compare, Operation, Store } from '../store/ports.ts';
import type { ClusterState } from './ports.ts';

/** How long a request id keeps its answer, at least. Source: decisions.md, "Writes". */
const KEEP_MS = 3_600_000;
const MAX_TRIES = 8;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export interface WriteParts {
  readonly store: Store;
  readonly state: ClusterState;
  readonly clock: Clock;
  readonly requestLease: RequestLease;
}

/** What a write would do, decided from the newest picture. Nothing to write: no operations. */
export interface WriteDraft {
  readonly compares: readonly Compare[];
  readonly operations: readonly Operation[];
  readonly outcome: RequestRecord['outcome'];
}

/** One lease for many request records: granted for twice the time, replaced after once the time. */
export class RequestLease {
  readonly #store: Store;
  readonly #clock: Clock;
  #lease: { readonly id: Promise<string>; readonly grantedMs: number } | undefined;

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  async id(): Promise<string> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#lease === undefined || nowMs - this.#lease.grantedMs > KEEP_MS) {
      this.#lease = { id: this.#store.grantLease(2 * KEEP_MS), grantedMs: nowMs };
    }
    try {
      return await this.#lease.id;
    } catch (error) {
      this.#lease = undefined;
      throw error;
    }
  }
}

/**
 * Carries out a write once per request id: repeated, it answers what it answered and changes nothing more.
 *
 * `draft` is called again with a newer picture when another write came between.
 *
 * @throws ClusterError INVALID_ARGUMENT (no UUID), CONFLICT (others keep winning), and what `draft` throws
 */
export async function writeOnce(
  requestId: string, parts: WriteParts, draft: () => WriteDraft | Promise<WriteDraft>, signal: AbortSignal,
): Promise<RequestRecord['outcome']> {
  if (!UUID.test(requestId)) {
    throw new ClusterError('INVALID_ARGUMENT', `request id ${JSON.stringify(requestId.slice(0, 64))} is not a UUID in lower case`);
  }
  const key = buildKey({ kind: 'request', id: requestId });
  for (let attempt = 1; attempt <= MAX_TRIES; attempt += 1) {
    const earlier = await answerOf(key, parts, signal);
    if (earlier !== undefined) {
      return earlier;
    }
    const wished = await draft();
    if (wished.operations.length === 0) {
      // What is wished is there: it may be this very request that brought it, by another replica.
      return await answerOf(key, parts, signal) ?? wished.outcome;
    }
    if (await tryWrite({ key, requestId, wished }, parts, signal)) {
      return wished.outcome;
    }
  }
  throw new ClusterError('CONFLICT', 'others keep changing the same object; try again');
}

/** What the request was answered; undefined where it was not carried out. */
async function answerOf(key: string, { store, state }: WriteParts, signal: AbortSignal): Promise<RequestRecord['outcome'] | undefined> {
  const record = await store.get(key, signal);
  if (record === undefined) {
    return undefined;
  }
  await state.waitFor(record.modRevision, signal);
  return decodeRequestRecord(record.value).outcome;
}

async function tryWrite(
  write: { readonly key: string; readonly requestId: string; readonly wished: WriteDraft }, parts: WriteParts, signal: AbortSignal,
): Promise<boolean> {
  const record: RequestRecord = { requestId: write.requestId, createdAtMs: parts.clock.nowMs(), outcome: write.wished.outcome };
  try {
    const leaseId = await parts.requestLease.id();
    const outcome = await parts.store.transact(
      [{ kind: 'mod-revision', key: write.key, revision: 0 }, ...write.wished.compares],
      [...write.wished.operations, { kind: 'put', key: write.key, value: encodeRequestRecord(record), leaseId }], signal);
    await parts.state.waitFor(outcome.etcdRevision, signal);
    // What the write set off leaves before its answer.
    await parts.clock.turn();
    return outcome.kind === 'committed';
  } catch (error) {
    // Landed or not: the next turn reads the request record back.
    if (error instanceof AmbiguousWriteError) {
      return false;
    }
    throw error;
  }
}
