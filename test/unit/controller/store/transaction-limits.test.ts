import test from 'ava';
import type { Compare, Operation } from '../../../../controller/store/ports.ts';
import { MAX_TRANSACTION_BYTES, MAX_TRANSACTION_OPERATIONS, requireTransactable } from '../../../../controller/store/transaction-limits.ts';

const put = (key: string, byteCount = 1): Operation => ({ kind: 'put', key, value: new Uint8Array(byteCount) });
const puts = (count: number): readonly Operation[] => Array.from({ length: count }, (_, index) => put(String(index)));
const compares = (count: number): readonly Compare[] => puts(count).map(({ key }) => ({ kind: 'mod-revision', key, revision: 0 }));

test('as many operations and compares as etcd takes, and not one more', t => {
  t.notThrows(() => { requireTransactable(compares(MAX_TRANSACTION_OPERATIONS), puts(MAX_TRANSACTION_OPERATIONS)); });
  t.throws(() => { requireTransactable([], puts(MAX_TRANSACTION_OPERATIONS + 1)); }, { code: 'FAILED_PRECONDITION', message: 'the change has 121 records, at most 120 are written at once; change fewer objects at a time' });
  t.throws(() => { requireTransactable(compares(MAX_TRANSACTION_OPERATIONS + 1), []); }, { code: 'FAILED_PRECONDITION' });
});

test('keys count as bytes too', t => {
  t.notThrows(() => { requireTransactable([], [put('k', MAX_TRANSACTION_BYTES - 1)]); });
  t.throws(() => { requireTransactable([], [put('k', MAX_TRANSACTION_BYTES)]); }, { code: 'FAILED_PRECONDITION' });
});

test('one key is written once', t => {
  t.throws(() => { requireTransactable([], [put('k'), { kind: 'delete', key: 'k' }]); }, { instanceOf: RangeError });
});
