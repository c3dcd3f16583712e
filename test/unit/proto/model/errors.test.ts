import test from 'ava';
import { ClusterError, ERROR_CODES, isClusterError, isRetryable } from '#model/errors.ts';

test('three codes are worth trying again', t => {
  t.deepEqual(ERROR_CODES.filter(code => isRetryable(new ClusterError(code, 'x'))), ['CONFLICT', 'RESOURCE_EXHAUSTED', 'UNAVAILABLE']);
  t.false(isRetryable(new Error('x')));
});

test('isClusterError asks for the code too', t => {
  t.true(isClusterError(new ClusterError('CONFLICT', 'x'), 'CONFLICT'));
  t.false(isClusterError(new ClusterError('CONFLICT', 'x'), 'NOT_FOUND'));
  t.false(isClusterError(new Error('x'), 'INTERNAL'));
});
