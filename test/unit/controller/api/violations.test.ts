import test from 'ava';
import { ClusterError } from '#model/errors.ts';
import { requireValid } from '../../../../controller/api/violations.ts';

test('none is fine; several are told by the first, and carried', t => {
  t.notThrows(() => { requireValid([]); });
  const violations = [{ path: 'a', message: 'b' }, { path: 'c', message: 'd' }];
  const error = t.throws(() => { requireValid(violations); }, { instanceOf: ClusterError, message: 'a: b (and 1 more)' });
  t.is(error.code, 'INVALID_ARGUMENT');
  t.deepEqual(error.violations, violations);
});
