import test from 'ava';
import { parseNodeId } from '#model/ids.ts';
import { networkNames } from '../../../../agent/network/link-names.ts';
import { peerAddresses, planNetwork } from '../../../../agent/network/network-plan.ts';
import type { DesiredNetwork, ObservedNetwork } from '../../../../agent/network/network-plan.ts';

const TWO = { id: parseNodeId('n2'), subnetIndex: 2, address: '10.161.0.2' };
const THREE = { id: parseNodeId('n3'), subnetIndex: 3, address: '10.161.0.3' };

function desired(rest: Partial<DesiredNetwork> = {}): DesiredNetwork {
  return {
    names: networkNames('n1'), subnetIndex: 1, underlayAddress: '10.161.0.1', mtuBytes: 1450, vxlanId: 42, vxlanPort: 4789,
    peers: [TWO], virtualIpRange: '10.160.0.0/16', ...rest,
  };
}

function observed(rest: Partial<ObservedNetwork> = {}): ObservedNetwork {
  return { links: new Map(), vxlanRoutes: new Set(), bridgeRoutes: new Set(), neighbours: new Set(), forwarding: new Set(), ...rest };
}

const SETTLED = observed({
  links: new Map([
    ['n1br', { isUp: true, mtuBytes: 1450, mac: '02:67:0a:80:01:01', addresses: ['10.128.1.1/24'] }],
    ['n1vx', { isUp: true, mtuBytes: 1450, mac: '02:67:0a:80:01:00', addresses: ['10.128.1.0/32'], vxlanKey: '42 4789 10.161.0.1' }],
  ]),
  vxlanRoutes: new Set(['10.128.2.0/24 via 10.128.2.0']),
  bridgeRoutes: new Set(['10.128.1.0/24', '10.160.0.0/16']),
  neighbours: new Set(['10.128.2.0 02:67:0a:80:02:00']),
  forwarding: new Set(['02:67:0a:80:02:00 10.161.0.2']),
});

test('an empty node gets bridge, vxlan, then routes', t => {
  t.deepEqual(planNetwork(desired(), observed()), {
    ipLines: [
      'link add n1br address 02:67:0a:80:01:01 type bridge stp_state 0 mcast_snooping 0',
      'link set n1br mtu 1450', 'address add 10.128.1.1/24 dev n1br', 'link set n1br up',
      'link add n1vx address 02:67:0a:80:01:00 type vxlan id 42 dstport 4789 local 10.161.0.1 nolearning',
      'link set n1vx mtu 1450', 'address add 10.128.1.0/32 dev n1vx', 'link set n1vx up',
      'route replace 10.160.0.0/16 dev n1br',
      'neighbour replace 10.128.2.0 lladdr 02:67:0a:80:02:00 dev n1vx nud permanent',
      'route replace 10.128.2.0/24 via 10.128.2.0 dev n1vx onlink',
    ],
    bridgeLines: ['fdb append 02:67:0a:80:02:00 dev n1vx dst 10.161.0.2'],
  });
});

test('a settled node needs nothing', t => {
  t.deepEqual(planNetwork(desired(), SETTLED), { ipLines: [], bridgeLines: [] });
});

test('a peer that went is forgotten, one that came is added, one that moved has its new address alone', t => {
  t.deepEqual(planNetwork(desired({ peers: [THREE] }), SETTLED), {
    ipLines: [
      'route del 10.128.2.0/24 via 10.128.2.0 dev n1vx onlink',
      'neighbour del 10.128.2.0 lladdr 02:67:0a:80:02:00 dev n1vx',
      'neighbour replace 10.128.3.0 lladdr 02:67:0a:80:03:00 dev n1vx nud permanent',
      'route replace 10.128.3.0/24 via 10.128.3.0 dev n1vx onlink',
    ],
    bridgeLines: ['fdb del 02:67:0a:80:02:00 dev n1vx dst 10.161.0.2', 'fdb append 02:67:0a:80:03:00 dev n1vx dst 10.161.0.3'],
  });
  t.deepEqual(planNetwork(desired({ peers: [{ ...TWO, address: '10.161.0.9' }] }), SETTLED).bridgeLines, [
    'fdb del 02:67:0a:80:02:00 dev n1vx dst 10.161.0.2', 'fdb append 02:67:0a:80:02:00 dev n1vx dst 10.161.0.9',
  ]);
});

test('until the cluster names the peers, those of an earlier agent stay', t => {
  const { peers: _, ...unknown } = desired();
  t.deepEqual(planNetwork(unknown, SETTLED), { ipLines: [], bridgeLines: [] });
  t.deepEqual(peerAddresses(unknown, SETTLED), ['10.161.0.2']);
  t.deepEqual(peerAddresses(desired({ peers: [] }), SETTLED), []);
});

test('a vxlan with other settings is made anew, with all its entries', t => {
  const plan = planNetwork(desired({ vxlanId: 43 }), SETTLED);
  t.deepEqual(plan.ipLines.slice(0, 2), ['link del n1vx', 'link add n1vx address 02:67:0a:80:01:00 type vxlan id 43 dstport 4789 local 10.161.0.1 nolearning']);
  t.true(plan.ipLines.includes('route replace 10.128.2.0/24 via 10.128.2.0 dev n1vx onlink'));
  t.deepEqual(plan.bridgeLines, ['fdb append 02:67:0a:80:02:00 dev n1vx dst 10.161.0.2']);
});

test('a link that is down, small or has another address is put right', t => {
  const links = new Map(SETTLED.links).set('n1br', { isUp: false, mtuBytes: 1500, mac: '', addresses: ['10.9.9.9/24'] });
  t.deepEqual(planNetwork(desired(), { ...SETTLED, links }).ipLines, [
    'link set n1br mtu 1450', 'address del 10.9.9.9/24 dev n1br', 'address add 10.128.1.1/24 dev n1br', 'link set n1br up',
  ]);
});

test('the order of peers does not matter', t => {
  t.deepEqual(planNetwork(desired({ peers: [THREE, TWO] }), observed()), planNetwork(desired({ peers: [TWO, THREE] }), observed()));
});
