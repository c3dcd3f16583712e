import test from 'ava';
import { healthOf } from '../../../../controller/api/node-health.ts';

test('of a registration the health alone is kept, with a text of bounded size', t => {
  t.deepEqual(healthOf({ hasDeadman: true, networkFault: 'no vxlan' }), { hasDeadman: true, networkFault: 'no vxlan' });
  const { networkFault } = healthOf({ hasDeadman: false, networkFault: 'ä'.repeat(1_000) });
  t.true(Buffer.byteLength(networkFault) <= 512);
  t.true(networkFault.endsWith('...'));
});
