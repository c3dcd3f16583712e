import test from 'ava';
import type { NodeHealth } from '#model/session.ts';
import { boundedCapabilities, healthOf, isSameHealth } from '../../../../controller/api/node-health.ts';

const WELL: NodeHealth = { hasDeadman: true, networkFault: '', listeningPorts: [] };

test('of a registration the health alone is kept, with a text of bounded size', t => {
  t.deepEqual(healthOf({ hasDeadman: true, networkFault: 'no vxlan', listeningPorts: [] }), { hasDeadman: true, networkFault: 'no vxlan', listeningPorts: [] });
  const { networkFault } = healthOf({ hasDeadman: false, networkFault: 'ä'.repeat(1_000), listeningPorts: [] });
  t.true(Buffer.byteLength(networkFault) <= 512);
  t.true(networkFault.endsWith('...'));
});

test('listening ports of a session are few, in order, and ports', t => {
  const many = Array.from({ length: 600 }, (_, index) => `tcp/${String(10_000 + index)}`);
  t.deepEqual(healthOf({ ...WELL, listeningPorts: ['udp/53', 'tcp/22', 'tcp/22', 'x'.repeat(100_000), 'sctp/1', 'tcp/'] }).listeningPorts, ['tcp/22', 'udp/53']);
  t.is(healthOf({ ...WELL, listeningPorts: many }).listeningPorts.length, 512);
});

test('health is the same where all of it is', t => {
  t.true(isSameHealth({ ...WELL, listeningPorts: ['tcp/22'] }, { ...WELL, listeningPorts: ['tcp/22'] }));
  t.false(isSameHealth(WELL, { ...WELL, listeningPorts: ['tcp/22'] }));
  t.false(isSameHealth(WELL, { ...WELL, networkFault: 'no vxlan' }));
  t.false(isSameHealth(WELL, { ...WELL, hasDeadman: false }));
});

test('capabilities of a session are few and short, also those of a newer agent', t => {
  t.deepEqual(boundedCapabilities(['storage', 'tomorrow', 'storage', 'x'.repeat(65), 'No', '']), ['storage', 'tomorrow']);
  t.is(boundedCapabilities(Array.from({ length: 1_000 }, (_, index) => `c-${String(index)}`)).length, 128);
});
