import test from 'ava';
import { placeSlots } from '../../../../controller/reconcile/placement-plan.ts';
import type { Makers } from '../../../../controller/reconcile/placement-plan.ts';
import { NodeTable } from '../../../../controller/schedule/node-table.ts';
import type { Service } from '#model/app.ts';
import { parseNodeId } from '#model/ids.ts';
import { node, resources, service, serviceStatus, snapshot, task } from '../../../support/builders.ts';

const low = service({ name: 'low', container: { requests: resources(800, 1) } });
const urgent = service({ name: 'urgent', placement: { priority: 5 }, container: { requests: resources(500, 1) } });
const n1 = node('n1', { capacity: resources(1_000, 100) });
const victim = task(low, 'n1');
const makers = (of: Service): Makers => ({ service: of, before: of });
const creates = [{ slot: 0, reason: 'scale-up' }];

test('what is of more priority makes room for itself, and waits on the node', t => {
  const state = snapshot({ nodes: [n1], services: [low, urgent], tasks: [victim] });
  const placed = placeSlots(state, { creates, createLimit: 1 }, makers(urgent));
  t.deepEqual(placed.evictions, [victim.id]);
  t.like(placed.pending[0], { slot: 0, node: 'n1' });
  t.regex(placed.pending[0]?.reason ?? '', /not enough cpu free.*waits for tasks of lower priority to stop on n1/);
  t.like(placed.events[0], { type: 'warning', reason: 'Preempted', object: `task/${victim.id}` });
  t.deepEqual(placeSlots(state, { creates, createLimit: 0 }, makers(urgent)).evictions, [], 'nothing goes for what is not to start now');
});

test('while the victim stops nobody else has to, and its own replacement does not take the room', t => {
  const waiting = serviceStatus(urgent, { pending: [{ slot: 0, reason: '', node: parseNodeId('n1') }] });
  const stopping = snapshot({ nodes: [n1], services: [low, urgent], serviceStatuses: [waiting], tasks: [task(low, 'n1', { desired: 'stop', reason: 'preempted' })] });
  t.like(placeSlots(stopping, { creates, createLimit: 1 }, makers(urgent)), { evictions: [], pending: [{ node: 'n1' }] });
  const gone = snapshot({ nodes: [n1], services: [low, urgent], serviceStatuses: [waiting], tasks: [] });
  t.like(placeSlots(gone, { creates, createLimit: 1 }, makers(low)), { placements: [], evictions: [] });
  t.like(placeSlots(gone, { creates, createLimit: 1 }, makers(urgent)).placements[0], { slot: 0, node: 'n1', reason: 'scale-up' });
});

test('a gang is placed whole or not at all, and says how much of it would fit', t => {
  const gang = service({ name: 'gang', placement: { isGang: true }, container: { requests: resources(300, 1) } });
  const state = snapshot({ nodes: [n1], services: [gang] });
  const many = (count: number): typeof creates => Array.from({ length: count }, (_, slot) => ({ slot, reason: 'scale-up' }));
  t.is(placeSlots(state, { creates: many(3), createLimit: 3 }, makers(gang)).placements.length, 3);
  const refused = placeSlots(state, { creates: many(4), createLimit: 4 }, makers(gang));
  t.like(refused, { placements: [], pending: { length: 4 } });
  t.is(placeSlots(state, { creates: many(4), createLimit: 2 }, makers(gang)).placements.length, 2, 'as many as may start now are the gang');
  t.regex(refused.pending[0]?.reason ?? '', /^only 3 of the gang of 4 fit at once; no node fits/);
});

test('a quota holds what is beyond it back', t => {
  const policy = { name: 'default', profile: 'baseline', bindPrefixes: [], quota: { tasks: 2, devices: [] }, createdAtMs: 0, updatedAtMs: 0 } as const;
  const state = { ...snapshot({ nodes: [n1], services: [urgent] }), namespaces: new Map([['default', { value: policy, createRevision: 1, modRevision: 1 }]]) };
  const small = service({ container: { requests: resources(10, 1) } });
  const placed = placeSlots(state, { creates: [0, 1, 2].map(slot => ({ slot, reason: 'scale-up' })), createLimit: 3 }, makers(small));
  t.is(placed.placements.length, 2);
  t.is(placed.pending[0]?.reason, 'the quota of namespace default is used up: tasks: need 1, left 0 of 2');
});

test('a table that is kept says the same as one made anew, and is as it was', t => {
  const state = snapshot({ nodes: [n1, node('n2')], services: [low, urgent], tasks: [victim] });
  const table = new NodeTable(state);
  const [first, second] = [placeSlots(state, { creates, createLimit: 1 }, makers(urgent), () => table), placeSlots(state, { creates, createLimit: 1 }, makers(urgent), () => table)];
  t.deepEqual(first, placeSlots(state, { creates, createLimit: 1 }, makers(urgent)));
  t.deepEqual(second, first);
});

test('slots of the old template that fit nowhere do not keep the new ones waiting; those that take a place do', t => {
  const blue = service({ container: { requests: resources(900, 1), runtime: 'kata' } });
  const green = { ...service({ container: { requests: resources(100, 1) } }), revision: 2, templateHash: 'hash-2' };
  const both = [{ slot: 0, reason: 'node-lost', isOld: true as const }, { slot: 0, reason: 'rollout' }, { slot: 1, reason: 'rollout' }];
  const placed = placeSlots(snapshot({ nodes: [n1], services: [green] }), { creates: both, createLimit: 4 }, { service: green, before: blue });
  t.deepEqual(placed.placements.map(one => [one.slot, one.of.revision, one.reason]), [[0, 2, 'rollout'], [1, 2, 'rollout']]);
  t.regex(placed.pending.map(one => `${String(one.slot)} ${one.reason}`).join(), /^0 no node fits.*no runtime kata$/);
  const fitting = placeSlots(snapshot({ nodes: [node('n1', { runtimes: ['kata', 'crun'] })], services: [green] }), { creates: both, createLimit: 4 }, { service: green, before: blue });
  t.deepEqual(fitting.placements.map(one => [one.slot, one.of.revision]), [[0, 1]]);
});
