import test from 'ava';
import { hostRuleset } from '../../../../cli/dev/host-ruleset.ts';

const RULES = { table: 'gantry_g1', link: 'g1-host', underlay: '10.161.0.0/24', ports: [{ protocol: 'tcp', port: 8080 }, { protocol: 'tcp', port: 8081 }, { protocol: 'udp', port: 53 }], nodes: ['10.161.0.10', '10.161.0.11'] } as const;

test('published ports go round the nodes, each protocol with its own', t => {
  const text = hostRuleset(RULES);
  t.true(text.includes('ip daddr 127.0.0.0/8 tcp dport { 8080, 8081 } dnat to numgen inc mod 2 map { 0 : 10.161.0.10, 1 : 10.161.0.11 }'));
  t.true(text.includes('ip daddr 127.0.0.0/8 udp dport { 53 } dnat to'));
});

test('the table is replaced whole', t => {
  t.true(hostRuleset(RULES).startsWith('table ip gantry_g1 {}\ndelete table ip gantry_g1\ntable ip gantry_g1 {\n'));
});

test('without a node that is ready, and without ports, nothing is mapped', t => {
  t.false(hostRuleset({ ...RULES, nodes: [] }).includes('dnat to'));
  t.false(hostRuleset({ ...RULES, ports: [] }).includes('dnat to'));
});
