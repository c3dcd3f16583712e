import test from 'ava';
import { parseNodeId } from '#model/ids.ts';
import { endedUdpTargets, endedUnansweredTargets, hasEndedTargets, unheardTargets } from '../../../../agent/proxy/ended-flows.ts';
import { endpointService, endpointSet, port } from '../../../support/endpoint-sets.ts';

const udp = (...endpoints: string[]): ReturnType<typeof endpointSet> => endpointSet([
  endpointService('dns', '10.160.0.1', [port(53, { protocol: 'udp' })], endpoints), endpointService('web', '10.160.0.2', [port(80)], ['n1/10.128.1.9']),
]);

test('an endpoint that went or turned unhealthy is ended; tcp alone is not', t => {
  t.deepEqual(endedUdpTargets(udp('n1/10.128.1.3', 'n1/10.128.1.2', 'n1/10.128.1.4'), udp('n1/10.128.1.2', '!n1/10.128.1.4')), ['10.128.1.3', '10.128.1.4']);
  t.deepEqual(endedUdpTargets(udp(), endpointSet([])), []);
});

test('an endpoint ended when no service has it any more, whatever its protocol', t => {
  t.true(hasEndedTargets(udp(), endpointSet([])), 'the one of tcp went');
  t.true(hasEndedTargets(udp('n1/10.128.1.2'), udp('!n1/10.128.1.2')));
  t.false(hasEndedTargets(udp('n1/10.128.1.2'), udp('n1/10.128.1.2', 'n1/10.128.1.3')));
});

const HERE = parseNodeId('n1');
const web = (...endpoints: string[]): ReturnType<typeof endpointSet> => endpointSet([endpointService('web', '10.160.0.1', [port(80)], endpoints)]);

test('of an endpoint that is still known and gets nothing any more every connection ends: its node is not heard', t => {
  t.deepEqual(unheardTargets(web('n1/10.128.1.2', 'n2/10.128.2.3', 'n2/10.128.2.2'), web('n1/10.128.1.2', '!n2/10.128.2.3', '!n2/10.128.2.2'), HERE), ['10.128.2.2', '10.128.2.3']);
  t.deepEqual(unheardTargets(undefined, web('n1/10.128.1.2', '!n2/10.128.2.2'), HERE), ['10.128.2.2'], 'what changed while no agent was here');
});

test('connections stay to an endpoint that is withdrawn in order, that was unhealthy before, that is of this node, or that serves elsewhere', t => {
  t.deepEqual(unheardTargets(web('n2/10.128.2.2'), web(), HERE), []);
  t.deepEqual(unheardTargets(web('!n2/10.128.2.2'), web('!n2/10.128.2.2'), HERE), []);
  t.deepEqual(unheardTargets(web('n1/10.128.1.2'), web('!n1/10.128.1.2'), HERE), []);
  const also = endpointSet([endpointService('web', '10.160.0.1', [port(80)], ['!n2/10.128.2.2']), endpointService('other', '10.160.0.2', [port(80)], ['n2/10.128.2.2'])]);
  t.deepEqual(unheardTargets(web('n2/10.128.2.2'), also, HERE), []);
});

const flow = (asked: string, answers: string): string =>
  `tcp      6 117 SYN_SENT src=10.128.1.7 dst=${asked} sport=40000 dport=80 [UNREPLIED] src=${answers} dst=10.128.1.7 sport=8080 dport=40000 mark=0 use=1`;

test('unanswered connections: those that were sent on to a task that is no endpoint any more, each address once', t => {
  const set = endpointSet([endpointService('web', '10.160.0.1', [port(80)], ['n1/10.128.1.9', '!n1/10.128.1.4'])]);
  t.deepEqual(endedUnansweredTargets([
    flow('10.160.0.1', '10.128.1.9'), flow('10.161.0.1', '10.128.2.6'), flow('10.160.0.1', '10.128.1.4'), flow('10.160.0.1', '10.128.2.6'), '',
  ].join('\n'), set), ['10.128.1.4', '10.128.2.6']);
});

test('unanswered connections that nobody sent on, or to what is no task, are nobody\'s business', t => {
  t.deepEqual(endedUnansweredTargets([flow('10.128.2.6', '10.128.2.6'), flow('192.168.1.1', '172.17.0.2'), 'conntrack v1.4.8'].join('\n'), endpointSet([])), []);
});
