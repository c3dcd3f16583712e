import test from 'ava';
import { SUBNET_COUNT } from '#model/addressing.ts';
import { parseNodeId } from '#model/ids.ts';
import { freeSubnets, nodeRecord, sessionRecord } from '../../../../controller/api/registration-records.ts';
import { node, snapshot, T0 } from '../../../support/builders.ts';
import { registration } from '../../../support/api-calls.ts';

const at = (name: string, subnetIndex: number): ReturnType<typeof node> => ({ ...node(name), subnetIndex });

test('the lowest subnets that nobody has are free, as many as are asked for', t => {
  const state = snapshot({ nodes: [at('n1', 0), at('n2', 2)] });
  t.deepEqual(freeSubnets(state, 3), [1, 3, 4]);
  t.deepEqual(freeSubnets(state, 0), []);
});

test('of the last ones only those are free that are left', t => {
  const state = snapshot({ nodes: Array.from({ length: SUBNET_COUNT - 1 }, (_, index) => at(`n${String(index)}`, index)) });
  t.deepEqual(freeSubnets(state, 3), [SUBNET_COUNT - 1]);
});

test('while a node cannot be read whose subnet is not known, no subnet is free', t => {
  const state = { ...snapshot({ nodes: [] }), unreadableNodes: new Map([[parseNodeId('n9'), {}]]) };
  t.throws(() => freeSubnets(state, 1), { message: /the record of node n9 cannot be read/ });
});

test('the subnet of a node that cannot be read is taken where it is known', t => {
  t.deepEqual(freeSubnets({ ...snapshot({ nodes: [] }), unreadableNodes: new Map([[parseNodeId('n9'), { subnetIndex: 1 }]]) }, 2), [0, 2]);
});

test('the agent\'s facts are new, what an operator wished stays', t => {
  const current = { ...node('n1', { availability: 'draining' }), subnetIndex: 7, createdAtMs: 1 };
  const record = nodeRecord(registration('n1', { address: '10.161.0.9' }), current, { subnetIndex: 7, nowMs: T0 });
  t.like(record, { availability: 'draining', address: '10.161.0.9', subnetIndex: 7, createdAtMs: 1, condition: 'ready' });
});

test('a session record names its holder and the nonce that comes next', t => {
  t.deepEqual(sessionRecord(registration('n1', { nextNonce: 'b' }), { sessionId: 's', controllerId: 'c1', nowMs: 5 }), {
    node: parseNodeId('n1'), sessionId: 's', controllerId: 'c1', openedAtMs: 5, instanceNonce: 'b',
  });
});
