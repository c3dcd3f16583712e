import test from 'ava';
import { heldCapabilities } from '../../../../agent/runtime/held-capabilities.ts';

test('the bounding set by name', t => {
  t.deepEqual([...heldCapabilities('CapEff:\t0000000000000001\nCapBnd:\t0000010000200003\nCapAmb:\t0\n')], ['CHOWN', 'DAC_OVERRIDE', 'SYS_ADMIN', 'CHECKPOINT_RESTORE']);
  t.is(heldCapabilities('CapBnd:\t000001ffffffffff\n').size, 41);
  t.is(heldCapabilities('').size, 0);
});
