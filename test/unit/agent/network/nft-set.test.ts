import test from 'ava';
import { set } from '../../../../agent/network/nft-set.ts';

test('a set with a clause and elements', t => {
  t.deepEqual(set('ports', 'inet_service', ['1', '5-9'], 'flags interval'), ['set ports {', '  type inet_service', '  flags interval', '  elements = { 1, 5-9 }', '}', '']);
});

test('without elements there is no list of them, which nft refuses', t => {
  t.deepEqual(set('peers', 'ipv4_addr', []), ['set peers {', '  type ipv4_addr', '}', '']);
});
