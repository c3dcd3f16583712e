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
 * @throws RangeError
 */
export function requireTransactable(compares: readonly Compare[], operations: readonly Operation[]): void {
  const count = Math.max(compares.length, operations.length);
  if (count > MAX_TRANSACTION_OPERATIONS) {
    throw new RangeError(`a transaction has ${String(count)} operations, at most ${String(MAX_TRANSACTION_OPERATIONS)} are allowed`);
  }
  const bytes = operations.reduce((sum, operation) => sum + operationBytes(operation), 0);
  if (bytes > MAX_TRANSACTION_BYTES) {
    throw new RangeError(`a transaction has ${String(bytes)} bytes, at most ${String(MAX_TRANSACTION_BYTES)} are allowed`);
  }
  if (new Set(operations.map(operation => operation.key)).size !== operations.length) {
    throw new RangeError('a transaction writes one key twice');
  }
}
