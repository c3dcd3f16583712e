import test from 'ava';
import { gatewayAddress, isIpv4Address, isTaskAddress, subnetCidr, subnetPrefix, virtualIp } from '#model/addressing.ts';

test('subnets run from 10.128.0.0/24 to 10.159.255.0/24', t => {
  t.is(subnetCidr(0), '10.128.0.0/24');
  t.is(subnetCidr(255), '10.128.255.0/24');
  t.is(subnetCidr(256), '10.129.0.0/24');
  t.is(subnetCidr(8_191), '10.159.255.0/24');
  t.throws(() => subnetPrefix(8_192), { instanceOf: RangeError, message: 'subnet index 8192 is not in 0..8191' });
  t.throws(() => subnetPrefix(-1), { instanceOf: RangeError });
  t.throws(() => subnetPrefix(0.5), { instanceOf: RangeError });
});
test('the gateway is the first host of the subnet', t => {
  t.is(gatewayAddress(3), '10.128.3.1');
});
test('virtual IPs run from 10.160.0.1 to 10.160.255.254', t => {
  t.is(virtualIp(0), '10.160.0.1');
  t.is(virtualIp(254), '10.160.0.255');
  t.is(virtualIp(65_533), '10.160.255.254');
  t.throws(() => virtualIp(65_534), { instanceOf: RangeError });
});

test('an IPv4 address is four plain decimal numbers', t => {
  t.true(['0.0.0.0', '10.128.1.2', '255.255.255.255'].every(isIpv4Address));
  t.deepEqual(['', '1.2.3', '1.2.3.4.5', '1.2.3.256', '01.2.3.4', '1.2.3.4\n', ' 1.2.3.4', '1.2.3.-4', '::1', '1.2.3.4 }'].filter(isIpv4Address), []);
});

test('task addresses are those of 10.128.0.0/11', t => {
  t.deepEqual(['10.128.0.1', '10.159.255.254', '10.127.255.255', '10.160.0.1', '11.128.0.1', '10.128.0', '10.128.0.x'].map(isTaskAddress), [true, true, false, false, false, false, false]);
});
