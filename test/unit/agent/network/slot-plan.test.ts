import test from 'ava';
import { deleteLinkRequests, hostLinkRequests, slotSettings, taskLinkRequests } from '../../../../agent/network/slot-plan.ts';
import { addressAttribute, byteAttribute, numberAttribute, textAttribute } from '../../../../agent/network/netlink-message.ts';
import type { NetlinkRequest } from '../../../../agent/network/netlink-message.ts';

const SLOT = { link: 'n1t5', bridgeIndex: 7, address: '10.128.1.5', gateway: '10.128.1.1', mtuBytes: 1450 };
const contains = (request: NetlinkRequest | undefined, part: Uint8Array): boolean => Buffer.from(request?.payload ?? []).includes(Buffer.from(part));

test('the node\'s end is made with its peer in the slot, put on the bridge, and is an isolated port before it is up', t => {
  const [add, master, up] = hostLinkRequests(SLOT, 33);
  t.true(contains(add, textAttribute(3, 'n1t5')) && contains(add, textAttribute(3, 'eth0')) && contains(add, numberAttribute(28, 33)));
  t.true(contains(add, Uint8Array.of(0x02, 0x67, 0x0a, 0x80, 0x01, 0x05)) && contains(add, numberAttribute(4, 1450)));
  t.true(contains(master, numberAttribute(10, 7)));
  t.true(contains(up, byteAttribute(33, 1)));
  t.is(Buffer.from(add?.payload ?? []).readUInt32LE(8), 0);
  t.is(Buffer.from(up?.payload ?? []).readUInt32LE(8), 1);
});

test('a task sees a /32 and everything else behind the gateway', t => {
  const requests = taskLinkRequests(SLOT, 9);
  t.deepEqual(requests.map(request => request.what), [
    'link set lo up', 'link set eth0 addrgenmode', 'address add 10.128.1.5', 'link set eth0 up', 'route add 10.128.1.1', 'route add default via 10.128.1.1',
  ]);
  t.is(requests[2]?.payload[1], 32);
  t.true(contains(requests[5], addressAttribute(5, '10.128.1.1')) && contains(requests[5], numberAttribute(4, 9)));
});

test('links are deleted together, by a group they are put into', t => {
  const requests = deleteLinkRequests(['n1t5', 'n1t6']);
  t.deepEqual(requests.map(({ type }) => type), [16, 16, 17]);
  t.true(requests.every(request => contains(request, Buffer.from('rtng'))));
});

test('ping is for the ids of the slot, as the host numbers them', t => {
  t.is(slotSettings(1_048_576, 65_536).get('net/ipv4/ping_group_range'), '1048576 1114111');
});
