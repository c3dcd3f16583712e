import test from 'ava';
import { parseNodeId } from '#model/ids.ts';
import { findBlocked, obstaclesOn } from '../../../../controller/schedule/blocked.ts';
import { node, resources, service, serviceStatus, snapshot, T0 } from '../../../support/builders.ts';

const n1 = parseNodeId('n1');
const big = service({ container: { requests: resources(2_500, 64) } });
const slots = [{ slot: 0 }, { slot: 1 }];

test('the first slot that finds no place, with the others where they go', t => {
  const blocked = findBlocked(snapshot({ nodes: [node('n1')], services: [big] }), big, slots);
  t.like(blocked, { first: { slot: 1 }, missing: 1, nodes: [{ node: { id: 'n1' }, obstacles: [{ kind: 'cpu', need: 2_500, free: 1_500 }] }] });
  t.is(blocked?.table.freeCpu[0], 4_000, 'the table is as it was');
});
test('nothing is blocked', t => {
  t.is(findBlocked(snapshot({ nodes: [node('n1'), node('n2')], services: [big] }), big, slots), undefined);
});
test('a gang waits for all; each of its slots counts for itself', t => {
  const gang = service({ container: { requests: resources(2_500, 64) }, placement: { isGang: true } });
  t.like(findBlocked(snapshot({ nodes: [node('n1')], services: [gang] }), gang, slots), { first: { slot: 1 }, missing: 1 });
});
test('the quota of the namespace is in the way on each node, beside what the node lacks', t => {
  const value = { name: 'default', profile: 'baseline', bindPrefixes: [], quota: { milliCpu: 1_000, devices: [] }, createdAtMs: T0, updatedAtMs: T0 } as const;
  const state = { ...snapshot({ nodes: [node('n1', { availability: 'cordoned' })], services: [big] }), namespaces: new Map([['default', { value, createRevision: 1, modRevision: 1 }]]) };
  t.like(obstaclesOn(state, big, { slot: 0, node: n1 }), [{ kind: 'quota', resource: 'cpu', need: 2_500, free: 1_000, limit: 1_000 }, { kind: 'node', state: 'cordoned' }]);
});
test('room that is being made for a service of more priority', t => {
  const urgent = service({ name: 'db', placement: { priority: 7 }, container: { requests: resources(2_000, 64) } });
  const state = snapshot({ nodes: [node('n1')], services: [big, urgent], serviceStatuses: [serviceStatus(urgent, { pending: [{ slot: 0, reason: '', node: n1 }] })] });
  t.deepEqual(obstaclesOn(state, big, { slot: 0, node: n1 }), [{ node: n1, kind: 'reserved', service: urgent.id, priority: 7 }]);
  t.deepEqual(obstaclesOn(state, service({ placement: { priority: 8 }, container: { requests: resources(2_500, 64) } }), { slot: 0, node: n1 }), []);
});
