import test from 'ava';
import { isCapacity } from '../../../../cli/dev/capacity.ts';

test('cpu and memory, in any order, with disk or without', t => {
  t.true(isCapacity('cpu=4,memory=7Gi'));
  t.true(isCapacity('memory=7Gi,disk=100Gi,cpu=500m'));
});

for (const text of ['', 'cpu', 'cpu=4', 'memory=7Gi', 'cpu=x,memory=7Gi', 'cpu=4,memory=7Gi,disk=', 'cpu=4,memory=7Gi,gpu=1', 'cpu=4,cpu=5,memory=7Gi', 'cpu=4 memory=7Gi']) {
  test(`no capacity: ${JSON.stringify(text)}`, t => { t.false(isCapacity(text)); });
}
