import test from 'ava';
import { hostRuleset, publishedPorts } from '../../../../cli/dev/host-ruleset.ts';
import type { HostRules } from '../../../../cli/dev/host-ruleset.ts';

const rules = (change: Partial<HostRules> = {}): HostRules => ({
  table: 'gantry_g1', link: 'g1-host', underlay: '10.161.0.0/24', nodes: ['10.161.0.10', '10.161.0.11'],
  ports: [{ protocol: 'tcp', port: 80 }, { protocol: 'tcp', port: 443 }, { protocol: 'udp', port: 53 }], ...change,
});

test('published ports of loopback go round the nodes that live', t => {
  const text = hostRuleset(rules());
  t.regex(text, /ip daddr 127\.0\.0\.0\/8 tcp dport { 80, 443 } dnat to numgen inc mod 2 map { 0 : 10\.161\.0\.10, 1 : 10\.161\.0\.11 }/);
  t.regex(text, /udp dport { 53 }/);
});

test('the table is replaced whole, whether it was there or not', t => {
  t.true(hostRuleset(rules()).startsWith('table ip gantry_g1 {}\ndelete table ip gantry_g1\ntable ip gantry_g1 {\n'));
});

test('without nodes or ports there is no rule that leads nowhere', t => {
  t.notRegex(hostRuleset(rules({ nodes: [] })), /dnat to/);
  t.notRegex(hostRuleset(rules({ ports: [] })), /dport/);
});

test('published ports are read back from what nft lists', t => {
  const listed = [
    'table ip gantry_g1 {', '\tchain output {', '\t\ttype nat hook output priority dstnat; policy accept;',
    '\t\tip daddr 127.0.0.0/8 tcp dport { 80, 8080 } dnat to numgen inc mod 1 map { 0 : 10.161.0.10 }', '\t\tip daddr 127.0.0.0/8 udp dport 53 dnat to numgen inc mod 1 map { 0 : 10.161.0.10 }', '\t}',
    '\tchain prerouting {', '\t\tiifname != "g1-host" fib daddr type local tcp dport { 80, 8080 } dnat to numgen inc mod 1 map { 0 : 10.161.0.10 }', '\t}', '}', '',
  ].join('\n');
  t.deepEqual(publishedPorts(listed), [{ protocol: 'tcp', port: 80 }, { protocol: 'tcp', port: 8_080 }, { protocol: 'udp', port: 53 }]);
  t.deepEqual(publishedPorts(hostRuleset(rules())), rules().ports);
  t.deepEqual(publishedPorts(hostRuleset(rules({ ports: [] }))), []);
});
