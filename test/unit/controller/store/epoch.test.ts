import test from 'ava';
import { compareEpoch, isEpochRefused } from '../../../../controller/store/epoch.ts';

test('a write of an epoch compares the create revision of the leader key', t => {
  t.deepEqual(compareEpoch(7), { kind: 'create-revision', key: '/gantry/v1/leader', revision: 7 });
});

test('only a refusal of that compare ends the epoch', t => {
  t.true(isEpochRefused(['/gantry/v1/nodes/n1', '/gantry/v1/leader']));
  t.false(isEpochRefused(['/gantry/v1/nodes/n1']));
});
