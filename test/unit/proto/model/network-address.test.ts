import test from 'ava';
import { findNetworkProblem, isIpv4, isIpv6 } from '#model/network-address.ts';

test('isIpv4', t => {
  t.true(['0.0.0.0', '255.255.255.255', '10.1.2.3'].every(isIpv4));
  t.deepEqual(['256.1.1.1', '1.2.3', '01.2.3.4', '1.2.3.4 ', '1.2.3.4\n'].filter(isIpv4), []);
});

test('isIpv6', t => {
  t.true(['::', '::1', 'fd00::1', '1:2:3:4:5:6:7:8', '1::8'].every(isIpv6));
  t.deepEqual([':::', '1:2:3', 'g::', '1::2::3', '12345::', '1:2:3:4:5:6:7:8:9'].filter(isIpv6), []);
});

test('a network has an address, a length and no bits behind it', t => {
  t.deepEqual(['0.0.0.0/0', '10.0.0.0/8', '10.1.2.3/32', '192.168.128.0/17'].map(findNetworkProblem), [undefined, undefined, undefined, undefined]);
  for (const bad of ['999.1.1.0/24', '10.0.0.0', '10.0.0.0/33', 'fd00::/8']) {
    t.regex(findNetworkProblem(bad) ?? 'accepted', /is not an IP network such as/);
  }
  t.regex(findNetworkProblem('10.0.0.1/8') ?? 'accepted', /bits set behind \/8/);
});
