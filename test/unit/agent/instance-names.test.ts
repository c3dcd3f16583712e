import test from 'ava';
import { acceptedNames, NO_NAMES } from '../../../agent/instance-names.ts';

const presented = { previousNonce: 'old', nextNonce: 'new', clusterId: 'k' };

test('what was presented is the instance from now on, in the cluster that took it', t => {
  t.deepEqual(acceptedNames(presented, 'other'), { previousNonce: 'new', nextNonce: 'new', clusterId: 'other' });
  t.deepEqual(acceptedNames({ ...NO_NAMES, nextNonce: 'first' }, 'k'), { previousNonce: 'first', nextNonce: 'first', clusterId: 'k' });
});
test('controllers that do not say which cluster they are of leave it as it was', t => {
  t.is(acceptedNames(presented, '').clusterId, 'k');
});
