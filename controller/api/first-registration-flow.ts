import { SUBNET_COUNT } from '#model/addressing.ts';
import { ClusterError } from '#model/errors.ts';
import type { NodeId } from '#model/ids.ts';
import type { NodeWishes } from '#model/records.ts';
import { NO_RESOURCES } from '#model/resources.ts';
import type { Registration } from '#model/session.ts';
import type { Clock } from '#kit/clock.ts';
import { transactGuarded } from '../store/guarded-write-flow.ts';
import { buildKey } from '../store/keys.ts';
import type { Operation, Store } from '../store/ports.ts';
import { encodeLedger, encodeNode, encodeSessionRecord } from '../store/records.ts';
import { MAX_TRANSACTION_BYTES, operationBytes } from '../store/transaction-limits.ts';
import { takeTurn } from './address-turn-flow.ts';
import type { ClusterState } from './ports.ts';
import type { WrittenRegistration } from './registration-flow.ts';
import { freeSubnets, nodeRecord, sessionRecord } from './registration-records.ts';

interface FirstRegistration {
  readonly registration: Registration;
  readonly sessionId: string;
  /** Of the node that this machine replaces. */
  readonly wishes?: NodeWishes;
}

interface Waiting extends FirstRegistration {
  readonly signal: AbortSignal;
  readonly resolve: (written: WrittenRegistration | undefined) => void;
  readonly reject: (error: unknown) => void;
}

interface Draft {
  readonly one: Waiting;
  readonly subnetIndex: number;
  readonly operations: readonly Operation[];
}

/** Three operations each and the turn's: well within what one transaction takes. */
const MAX_TOGETHER = 32;
/** Room for the settings record, which the turn rewrites. */
const TURN_BYTES = 16 * 1024;

/**
 * Nodes that register for the first time take subnets, and whoever takes what the cluster has once waits for a turn: those that come to this replica while
 * another's turn is being written share the next one, so that a crowd costs a transaction for many and not each a lost race with all the others.
 */
export class FirstRegistrations {
  readonly #parts: { readonly store: Store; readonly state: ClusterState; readonly clock: Clock; readonly controllerId: string };
  readonly #signal: AbortSignal;
  #waiting: readonly Waiting[] = [];
  #isWriting = false;

  /** @param signal  ends what is being written */
  constructor(parts: { readonly store: Store; readonly state: ClusterState; readonly clock: Clock; readonly controllerId: string }, signal: AbortSignal) {
    this.#parts = parts;
    this.#signal = signal;
  }

  /** Undefined when the node or another's address came between: look again. @throws ClusterError RESOURCE_EXHAUSTED when no subnet is left, UNAVAILABLE */
  async write(first: FirstRegistration, signal: AbortSignal): Promise<WrittenRegistration | undefined> {
    return await new Promise<WrittenRegistration | undefined>((resolve, reject) => {
      this.#waiting = [...this.#waiting, { ...first, signal, resolve, reject }];
      void this.#writeAll();
    });
  }

  async #writeAll(): Promise<void> {
    if (this.#isWriting) {
      return;
    }
    this.#isWriting = true;
    for (let batch = this.#takeBatch(); batch.length > 0; batch = this.#takeBatch()) {
      await this.#writeBatch(batch).catch((error: unknown) => { batch.forEach(({ reject }) => { reject(error); }); });
    }
    this.#isWriting = false;
  }

  /** The longest waiting, one of each node: a transaction puts a key once. */
  #takeBatch(): readonly Waiting[] {
    this.#waiting.filter(({ signal }) => signal.aborted).forEach(({ signal, reject }) => { reject(signal.reason); });
    const alive = this.#waiting.filter(({ signal }) => !signal.aborted);
    const ofNode = new Map<NodeId, Waiting>();
    for (const one of alive) {
      if (ofNode.size < MAX_TOGETHER && !ofNode.has(one.registration.node)) ofNode.set(one.registration.node, one);
    }
    const batch = [...ofNode.values()];
    this.#waiting = alive.filter(one => ofNode.get(one.registration.node) !== one);
    return batch;
  }

  async #writeBatch(batch: readonly Waiting[]): Promise<void> {
    const { store, state } = this.#parts;
    const turn = await takeTurn(this.#parts, this.#signal);
    const { nodes, sessions } = state.current;
    const fresh = batch.filter(({ registration }) => !nodes.has(registration.node));
    const subnets = freeSubnets(state.current, fresh.length);
    const drafts = subnets.flatMap((subnetIndex, index): readonly Draft[] => {
      const one = fresh[index];
      return one === undefined ? [] : [{ one, subnetIndex, operations: this.#records(one, subnetIndex) }];
    });
    const placed = drafts.slice(0, fittingCount(drafts));
    [...batch.filter(one => !fresh.includes(one)), ...drafts.slice(placed.length).map(({ one }) => one)].forEach(({ resolve }) => { resolve(undefined); });
    fresh.slice(drafts.length).forEach(({ reject }) => { reject(new ClusterError('RESOURCE_EXHAUSTED', `all ${String(SUBNET_COUNT)} node subnets are taken`)); });
    if (placed.length === 0) {
      return;
    }
    const outcome = await transactGuarded(store, [turn.compare, ...placed.flatMap(({ one: { registration: { node: id } } }) => [
      { kind: 'mod-revision', key: buildKey({ kind: 'node', id }), revision: 0 } as const,
      { kind: 'mod-revision', key: buildKey({ kind: 'session', id }), revision: sessions.get(id)?.modRevision ?? 0 } as const,
    ])], [turn.operation, ...placed.flatMap(({ operations }) => operations)], this.#signal);
    await state.waitFor(outcome.etcdRevision, this.#signal);
    for (const { one, subnetIndex } of placed) {
      one.resolve(outcome.kind === 'committed' ? { subnetIndex, recordRevision: outcome.etcdRevision } : undefined);
    }
  }

  #records({ registration, sessionId, wishes }: FirstRegistration, subnetIndex: number): readonly Operation[] {
    const { node: id } = registration;
    const { controllerId, clock } = this.#parts;
    const nowMs = clock.nowMs();
    return [
      { kind: 'put', key: buildKey({ kind: 'node', id }), value: encodeNode(nodeRecord(registration, wishes, { subnetIndex, nowMs })) },
      { kind: 'put', key: buildKey({ kind: 'session', id }), value: encodeSessionRecord(sessionRecord(registration, { sessionId, controllerId, nowMs })) },
      { kind: 'put', key: buildKey({ kind: 'ledger', id }), value: encodeLedger({ node: id, requests: NO_RESOURCES, hostPorts: [] }) },
    ];
  }
}

/** So many of the first that one transaction has room for them; at least one: what is too large for any is refused by itself. */
function fittingCount(drafts: readonly Draft[]): number {
  let bytes = 0;
  const over = drafts.findIndex(({ operations }) => {
    bytes += operations.reduce((sum, operation) => sum + operationBytes(operation), 0);
    return bytes > MAX_TRANSACTION_BYTES - TURN_BYTES;
  });
  return over === -1 ? drafts.length : Math.max(1, over);
}
