import test from 'ava';
import { baseRuleset, removeTables } from '../../../../agent/network/base-ruleset.ts';
import { networkNames } from '../../../../agent/network/link-names.ts';
import { golden } from '../../../support/golden.ts';

const FIREWALL = { names: networkNames('n1'), subnetIndex: 1, underlayAddress: '10.161.0.1', vxlanPort: 4789, peerAddresses: ['10.161.0.2', '10.161.0.3'], managers: ['10.161.0.9:7400'], managementPorts: ['7400-7403', '7410-7412'], forwardLinks: [] };
/** 253 task addresses tell no more than two do. */
const shorten = (text: string): string => text.replaceAll(/(elements = \{ [^,]+, [^,]+),(?: [^,{}]+,){200,} ([^,{}]+ \})/g, '$1, ... $2');

test('the rules of a node with two peers', t => {
  golden(t, 'network/base.nft', shorten(baseRuleset(FIREWALL)));
});

test('without peers nobody may send to the vxlan', t => {
  const text = baseRuleset({ ...FIREWALL, peerAddresses: [] });
  t.regex(text, /set peers \{\n {4}type ipv4_addr\n {2}\}/);
  t.true(text.includes('udp dport 4789 ip saddr != @peers drop'));
});

test('every table is replaced in the transaction that loads it', t => {
  for (const table of ['ip gantry-n1', 'bridge gantry-n1']) {
    t.true(baseRuleset(FIREWALL).includes(`table ${table}\ndelete table ${table}\ntable ${table} {`));
  }
});

test('removing names every table of the scope', t => {
  t.deepEqual(removeTables(networkNames('n1')).split('\n').filter(line => line.startsWith('delete')), [
    'delete table ip gantry-n1', 'delete table bridge gantry-n1', 'delete table ip gantry-n1-services',
  ]);
});

test('links of other software are forwarded only where they are named', t => {
  const text = baseRuleset({ ...FIREWALL, forwardLinks: ['br-*', 'docker0'] });
  t.true(text.includes('iifname { "br-*", "docker0" } accept\n    oifname { "br-*", "docker0" } accept\n'));
  t.false(baseRuleset(FIREWALL).includes('docker0'));
});

test('the hosts of controllers are closed like nodes, each once', t => {
  const text = baseRuleset({ ...FIREWALL, managers: ['10.161.0.2:7400', '10.161.0.9:7400', '10.161.0.9:7412'] });
  t.true(text.includes('set gantry-hosts {\n    type ipv4_addr\n    elements = { 10.161.0.2, 10.161.0.3, 10.161.0.9 }\n'));
});
