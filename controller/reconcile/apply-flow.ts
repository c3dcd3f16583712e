/** A plan into etcd: fenced transactions, one after the other. */
import { failpoint } from '#kit/failpoint.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { ClusterError } from '#model/errors.ts';
import type { AppId } from '#model/ids.ts';
import { compareEpoch, isEpochRefused } from '../store/epoch.ts';
import { buildKey, revisionPrefix } from '../store/keys.ts';
import { AmbiguousWriteError } from '../store/ports.ts';
import type { Compare, Store, TransactOutcome } from '../store/ports.ts';
import { MAX_TRANSACTION_OPERATIONS } from '../store/transaction-limits.ts';
import type { Plan } from './plan.ts';
import { planTransactions } from './transactions.ts';
import type { Transaction } from './transactions.ts';

export type ApplyOutcome =
  /** All of it is in; `etcdRevision` is the last transaction's. */
  | { readonly kind: 'committed'; readonly etcdRevision: number }
  /** Something that the plan was decided from has changed; `etcdRevision` has the change in it. What was written before stays. */
  | { readonly kind: 'conflict'; readonly failed: readonly string[]; readonly etcdRevision: number }
  /** The epoch is over, or it cannot be told whether a write landed. Either way this leader may write nothing more. */
  | { readonly kind: 'deposed'; readonly reason: string };

export interface Applier {
  readonly store: Store;
  readonly epoch: number;
  /** False once our own clock says that the lease may be over. Asked before each write. */
  readonly isHeld: () => boolean;
  readonly nowMs: number;
}

/** Writes the plan, which was decided on `snapshot` in this same turn of the event loop. */
export async function applyPlan(plan: Plan, snapshot: ClusterSnapshot, applier: Applier, signal: AbortSignal): Promise<ApplyOutcome> {
  // Before the first await: the snapshot moves on, and the fences must be those of the decision.
  const transactions = planTransactions(plan.actions, { snapshot, epoch: applier.epoch, nowMs: applier.nowMs });
  const histories = plan.actions.flatMap(action => (action.kind === 'remove-app' ? [historyOf(action.appId, snapshot, applier.epoch)] : []));
  const written = new Map<string, number>();
  let etcdRevision = 0;
  for await (const transaction of withHistories(histories, transactions, applier.store, signal)) {
    if (!applier.isHeld()) {
      return { kind: 'deposed', reason: 'the lease was not renewed in time' };
    }
    const outcome = await commit(applier.store, withWritten(transaction, written), signal);
    if (outcome.kind !== 'committed') {
      return outcome;
    }
    etcdRevision = outcome.etcdRevision;
    for (const operation of transaction.operations) {
      written.set(operation.key, operation.kind === 'put' ? etcdRevision : 0);
    }
  }
  return { kind: 'committed', etcdRevision };
}

/** The Revisions of an App that is removed: they go before its record does, so that a crash between leaves the App to be removed again. */
interface History {
  readonly prefix: string;
  readonly compares: readonly Compare[];
}

function historyOf(id: AppId, snapshot: ClusterSnapshot, epoch: number): History {
  const app: Compare = { kind: 'mod-revision', key: buildKey({ kind: 'app', id }), revision: snapshot.apps.get(id)?.modRevision ?? 0 };
  return { prefix: revisionPrefix(id), compares: [compareEpoch(epoch), app] };
}

async function *withHistories(
  histories: readonly History[], transactions: readonly Transaction[], store: Store, signal: AbortSignal,
): AsyncIterable<Transaction> {
  for (const { prefix, compares } of histories) {
    const keys = (await store.list(prefix, signal)).entries.map(entry => entry.key);
    for (let start = 0; start < keys.length; start += MAX_TRANSACTION_OPERATIONS) {
      yield { compares, operations: keys.slice(start, start + MAX_TRANSACTION_OPERATIONS).map(key => ({ kind: 'delete', key })) };
    }
  }
  yield* transactions;
}

/** What an earlier transaction of this plan wrote is compared at the revision it got there. */
function withWritten(transaction: Transaction, written: ReadonlyMap<string, number>): Transaction {
  const compares = transaction.compares.map((compare): Compare => {
    const revision = written.get(compare.key);
    return revision === undefined ? compare : { ...compare, revision };
  });
  return { ...transaction, compares };
}

async function commit(store: Store, { compares, operations }: Transaction, signal: AbortSignal): Promise<ApplyOutcome> {
  let outcome: TransactOutcome;
  try {
    await failpoint('apply.before-commit');
    outcome = await store.transact(compares, operations, signal);
    await failpoint('apply.after-commit');
  } catch (error) {
    if (!(error instanceof AmbiguousWriteError)) {
      throw error;
    }
    return await readBack(store, { compares, operations }, signal);
  }
  if (outcome.kind === 'committed') {
    return outcome;
  }
  return isEpochRefused(outcome.failed)
    ? { kind: 'deposed', reason: 'a write was refused for its epoch' }
    : { kind: 'conflict', failed: outcome.failed, etcdRevision: outcome.etcdRevision };
}

/**
 * Settles an unclear answer by what etcd holds now. A write that is not there may still land, so then the term must end: the next
 * epoch is the one thing that surely keeps it out.
 */
async function readBack(store: Store, { compares, operations }: Transaction, signal: AbortSignal): Promise<ApplyOutcome> {
  const unclear = { kind: 'deposed', reason: 'it is not known whether a write landed' } as const;
  const probe = operations.find(operation => operation.kind === 'put');
  if (probe === undefined) {
    return unclear;
  }
  const before = compares.find(compare => compare.key === probe.key)?.revision;
  try {
    const entry = await store.get(probe.key, signal);
    const hasLanded = entry !== undefined && entry.modRevision !== before && Buffer.from(entry.value).equals(probe.value);
    return hasLanded ? { kind: 'committed', etcdRevision: entry.modRevision } : unclear;
  } catch (error) {
    if (error instanceof ClusterError) {
      return unclear;
    }
    throw error;
  }
}
