import test from 'ava';
import { hostNumberOfSlot, macOfAddress, networkNames, slotId, vxlanAddress } from '../../../../agent/network/link-names.ts';

test('the longest scope gives links of 15 characters', t => {
  const names = networkNames('abcdefghijk');
  t.is(`${names.taskLinkPrefix}254`.length, 15);
  t.throws(() => networkNames('abcdefghijkl'), { instanceOf: RangeError });
});

test('a scope is a lower-case word', t => {
  for (const scope of ['', '1a', 'A', 'a-b', 'a b', 'a"b']) {
    t.throws(() => networkNames(scope), { instanceOf: RangeError }, scope);
  }
});

test('no link of one kind has the prefix of another: rules match task links by prefix', t => {
  const { bridge, vxlan, taskLinkPrefix } = networkNames('n1');
  t.false(bridge.startsWith(taskLinkPrefix));
  t.false(vxlan.startsWith(taskLinkPrefix));
});

test('a MAC is unicast, locally administered and names its address', t => {
  t.is(macOfAddress('10.128.0.255'), '02:67:0a:80:00:ff');
});

test('the node\'s vxlan address is host number 0 of its subnet', t => {
  t.is(vxlanAddress(257), '10.129.1.0');
});

test('the host number of a slot id is what it was made of', t => {
  t.is(hostNumberOfSlot(slotId(17, 'a0b1')), 17);
  for (const id of ['', '17', '17-', 'x-a', '1234-a', '../17-a', '17-a/b']) {
    t.is(hostNumberOfSlot(id), undefined, id);
  }
});
