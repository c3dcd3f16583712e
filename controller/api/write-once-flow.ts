import { ClusterError } from '#model/errors.ts';
import type { RequestRecord } from '#model/records.ts';
import { backoffMs } from '#kit/backoff.ts';
import type { Backoff } from '#kit/backoff.ts';
import type { Clock } from '#kit/clock.ts';
import type { ControlHandlers } from '#model/ports.ts';
import { decodeRequestRecord, encodeRequestRecord } from '../store/records.ts';
import { buildKey } from '../store/keys.ts';
import { AmbiguousWriteError } from '../store/ports.ts';
import type { Compare, Operation, Store } from '../store/ports.ts';
import type { ClusterState, SecretSealer } from './ports.ts';
import { requestText } from './request-text.ts';

/** How long a request id keeps its answer, at least. Source: decisions.md, "Writes". */
const KEEP_MS = 3_600_000;
/** Of one write while other writes land first; clients wait 30 s for an answer. */
const WRITE_LIMIT_MS = 20_000;
const MAX_TRIES = 200;
const RETRY: Backoff = { firstMs: 5, maxMs: 200 };
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export interface WriteParts {
  readonly store: Store;
  readonly state: ClusterState;
  readonly clock: Clock;
  readonly requestLease: RequestLease;
  readonly sealer: Pick<SecretSealer, 'fingerprints'>;
  /** 0 <= random < 1 */
  readonly random: () => number;
}

/** What a write would do, decided from the newest snapshot. Nothing to change: no operations. */
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

/** The handlers whose request carries an id. */
export type WriteRpc = {
  [Name in keyof ControlHandlers]: 'requestId' extends keyof Parameters<ControlHandlers[Name]>[0] ? Name : never;
}[keyof ControlHandlers];

/** A write as its client asked for it. */
export type Write = { [Name in WriteRpc]: { readonly rpc: Name; readonly request: Parameters<ControlHandlers[Name]>[0] & { readonly requestId: string } } }[WriteRpc];

type Outcome = RequestRecord['outcome'];

/**
 * Carries out a write once per request id: a repetition gets the same answer and changes nothing, also where
 * the first call found nothing to change.
 *
 * `draft` is called again with a newer snapshot when another write lands first; back-off with jitter between tries.
 *
 * @throws ClusterError INVALID_ARGUMENT (no UUID), ALREADY_EXISTS (the id belongs to another request),
 *         CONFLICT (other writes win for 20 s), UNAVAILABLE (it stays unclear whether it landed), and what `draft` throws
 */
export async function writeOnce(write: Write, parts: WriteParts, draft: () => WriteDraft | Promise<WriteDraft>, signal: AbortSignal): Promise<Outcome> {
  const id = identify(write, parts);
  let failure: Error | undefined;
  const deadlineMs = parts.clock.monotonicMs() + WRITE_LIMIT_MS;
  for (let attempt = 1; attempt <= MAX_TRIES && parts.clock.monotonicMs() <= deadlineMs; attempt += 1) {
    const earlier = await answerOf(id, parts, signal);
    if (earlier !== undefined) {
      return earlier;
    }
    const wished = await draft();
    const written = await tryWrite({ id, wished }, parts, signal);
    if (written === 'committed') {
      return wished.outcome;
    }
    failure = written === 'refused' ? undefined : written;
    await pauseAfter(attempt, parts, signal);
  }
  throw failure ?? new ClusterError('CONFLICT', 'other writes keep changing the same object; try again');
}

/** The answer that the request got before; undefined where it was not carried out. @throws as `writeOnce` */
export async function earlierAnswer(write: Write, parts: WriteParts, signal: AbortSignal): Promise<Outcome | undefined> {
  return await answerOf(identify(write, parts), parts, signal);
}

/** What `outcome` holds of this kind. @throws ClusterError ALREADY_EXISTS in a record of an older controller about another rpc */
export function requireOutcome<Kind extends Outcome['kind']>(outcome: Outcome, kind: Kind, { requestId }: { readonly requestId: string }): Extract<Outcome, { readonly kind: Kind }> {
  if (outcome.kind !== kind) {
    throw otherRequest(requestId);
  }
  return outcome as Extract<Outcome, { readonly kind: Kind }>;
}

function otherRequest(requestId: string): ClusterError {
  return new ClusterError('ALREADY_EXISTS', `request id ${requestId}: another request was made with it; send this one with a new id`);
}

interface RequestIdentity {
  readonly requestId: string;
  readonly key: string;
  /** That of the sealing key first. */
  readonly fingerprints: readonly Uint8Array[];
}

/** @throws ClusterError INVALID_ARGUMENT */
function identify({ rpc, request }: Write, { sealer }: WriteParts): RequestIdentity {
  const { requestId } = request;
  if (!UUID.test(requestId)) {
    throw new ClusterError('INVALID_ARGUMENT', `request id ${JSON.stringify(requestId.slice(0, 64))} is not a UUID in lower case`);
  }
  return { requestId, key: buildKey({ kind: 'request', id: requestId }), fingerprints: sealer.fingerprints(requestText(rpc, request)) };
}

async function answerOf({ key, requestId, fingerprints }: RequestIdentity, { store, state }: WriteParts, signal: AbortSignal): Promise<Outcome | undefined> {
  const entry = await store.get(key, signal);
  if (entry === undefined) {
    return undefined;
  }
  const { fingerprint, outcome } = decodeRequestRecord(entry.value);
  if (fingerprint.length > 0 && !fingerprints.some(own => Buffer.compare(own, fingerprint) === 0)) {
    throw otherRequest(requestId);
  }
  await state.waitFor(entry.modRevision, signal);
  return outcome;
}

/** The first retry is immediate: mostly one other write came between. */
async function pauseAfter(attempt: number, { clock, random }: WriteParts, signal: AbortSignal): Promise<void> {
  const pauseMs = attempt === 1 ? 0 : backoffMs(RETRY, attempt - 1, random());
  if (pauseMs > 0) {
    await clock.sleep(pauseMs, signal);
  }
}

async function tryWrite(
  { id, wished }: { readonly id: RequestIdentity; readonly wished: WriteDraft }, parts: WriteParts, signal: AbortSignal,
): Promise<'committed' | 'refused' | AmbiguousWriteError> {
  const [fingerprint = new Uint8Array()] = id.fingerprints;
  const record: RequestRecord = { requestId: id.requestId, createdAtMs: parts.clock.nowMs(), fingerprint, outcome: wished.outcome };
  try {
    const leaseId = await parts.requestLease.id();
    const outcome = await parts.store.transact(
      [{ kind: 'mod-revision', key: id.key, revision: 0 }, ...wished.compares],
      [...wished.operations, { kind: 'put', key: id.key, value: encodeRequestRecord(record), leaseId }], signal);
    await parts.state.waitFor(outcome.etcdRevision, signal);
    // What the write set off leaves before its answer.
    await parts.clock.turn();
    return outcome.kind;
  } catch (error) {
    // Landed or not: the next try reads the request record back.
    if (error instanceof AmbiguousWriteError) {
      return error;
    }
    throw error;
  }
}
