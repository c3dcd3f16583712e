import test from 'ava';
import { hostLinkLines, slotSettings, taskLinkLines } from '../../../../agent/network/slot-plan.ts';

const SLOT = { link: 'n1t5', bridge: 'n1br', networkNamespacePath: '/run/net', address: '10.128.1.5', gateway: '10.128.1.1', mtuBytes: 1450 };

test('the node\'s end is an isolated port of the bridge', t => {
  t.deepEqual(hostLinkLines(SLOT), [
    'link add n1t5 mtu 1450 type veth peer name eth0 address 02:67:0a:80:01:05 mtu 1450 netns /run/net',
    'link set n1t5 addrgenmode none',
    'link set n1t5 master n1br',
    'link set n1t5 type bridge_slave isolated on',
    'link set n1t5 up',
  ]);
});

test('a task sees a /32 and everything else behind the gateway', t => {
  t.deepEqual(taskLinkLines(SLOT), [
    'link set lo up',
    'link set eth0 addrgenmode none',
    'address add 10.128.1.5/32 dev eth0',
    'link set eth0 up',
    'route add 10.128.1.1 dev eth0 scope link',
    'route add default via 10.128.1.1 dev eth0',
  ]);
});

test('ping is for the ids of the slot, as the host numbers them', t => {
  t.true(slotSettings(1_048_576, 65_536).includes('net.ipv4.ping_group_range=1048576 1114111'));
});
