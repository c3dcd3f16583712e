import { ClusterError } from '#model/errors.ts';
import type { Compare, Operation } from './ports.ts';

/** Source: etcd, server flag --max-txn-ops, default 128; some room is left. */
export const MAX_TRANSACTION_OPERATIONS = 120;
/** Source: etcd, server flag --max-request-bytes, default 1.5 MiB, of which the envelope takes a part. */
export const MAX_TRANSACTION_BYTES = 1024 * 1024;

/** Bytes that an operation adds to a transaction. */
export function operationBytes(operation: Operation): number {
  return operation.key.length + (operation.kind === 'put' ? operation.value.byteLength : 0);
}

/**
 * Refuses what etcd would refuse, before anything is sent: too many operations or bytes, or one key written twice.
 *
 * etcd counts compares and operations apart, each against the same limit.
 *
 * @throws ClusterError FAILED_PRECONDITION for too much, RangeError for a key that is written twice
 */
export function requireTransactable(compares: readonly Compare[], operations: readonly Operation[]): void {
  const count = Math.max(compares.length, operations.length);
  if (count > MAX_TRANSACTION_OPERATIONS) {
    throw new ClusterError('FAILED_PRECONDITION', `the change has ${String(count)} records, at most ${String(MAX_TRANSACTION_OPERATIONS)} are written at once; change fewer objects at a time`);
  }
  const bytes = operations.reduce((sum, operation) => sum + operationBytes(operation), 0);
  if (bytes > MAX_TRANSACTION_BYTES) {
    throw new ClusterError('FAILED_PRECONDITION', `the change has ${String(bytes)} bytes, at most ${String(MAX_TRANSACTION_BYTES)} are written at once; change fewer objects at a time`);
  }
  if (new Set(operations.map(operation => operation.key)).size !== operations.length) {
    throw new RangeError('a transaction writes one key twice');
  }
}
