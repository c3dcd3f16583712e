import test from 'ava';
import type { Service } from '#model/app.ts';
import type { Task } from '#model/task.ts';
import { explainRejection, reasonsOf } from '../../../../controller/schedule/explain.ts';
import { NodeTable } from '../../../../controller/schedule/node-table.ts';
import { findRoom } from '../../../../controller/schedule/preempt.ts';
import { requestFor } from '../../../../controller/schedule/request.ts';
import { schedule } from '../../../../controller/schedule/schedule.ts';
import { node, resources, service, snapshot, status, task, taskId } from '../../../support/builders.ts';
import { placementViolations } from '../../../support/placement-checker.ts';
import { Random } from '../../../sim/random.ts';

/** A node's /24 less network, bridge and broadcast. */
const ADDRESSES = 253;
/** Asks for so little that nothing but addresses can be short. */
const TINY = { requests: resources(1, 1) };
const filler = service({ name: 'filler', replicas: 600, container: TINY });
const slotsOf = (count: number): readonly { readonly slot: number }[] => Array.from({ length: count }, (_, slot) => ({ slot }));

/** `count` tasks on the node; ids of `letter` are its own. */
function fill(on: string, letter: string, count: number, of: Service = filler): readonly Task[] {
  return Array.from({ length: count }, (_, index) => task(of, on, { slot: index, id: taskId(`${letter}${String.fromCharCode(97 + Math.floor(index / 26), 97 + (index % 26))}`) }));
}

test('the last address is given, and no other: the reason names the addresses, not memory or cpu', t => {
  const of = service({ container: TINY });
  const place = (taken: number): ReturnType<typeof schedule> => schedule(snapshot({ nodes: [node('n1')], services: [of, filler], tasks: fill('n1', 'f', taken) }), [{ service: of, slots: [{ slot: 0 }] }]);
  t.is(place(ADDRESSES - 1).placements.length, 1);
  const [rejection] = place(ADDRESSES).rejections;
  t.is(rejection === undefined ? '' : explainRejection(rejection), 'no node fits: 1 of 1 node has no address free (a node has 253, one for each task)');
  t.like(reasonsOf(rejection!.obstacles)[0], { rule: 'addresses', have: '0', need: '1' });
});

test('a task that ended has given its address back; one that is to stop has not yet', t => {
  const of = service({ container: TINY });
  const [first, ...others] = fill('n1', 'f', ADDRESSES);
  if (first === undefined) throw new Error('no task');
  const fits = (state: Parameters<typeof snapshot>[0]): boolean => schedule(snapshot({ nodes: [node('n1')], services: [of, filler], ...state }), [{ service: of, slots: [{ slot: 0 }] }]).placements.length === 1;
  t.true(fits({ tasks: [first, ...others], statuses: [status(first, { phase: 'complete' })] }));
  t.false(fits({ tasks: [{ ...first, desired: 'stop' }, ...others] }));
});

test('a task on the machine\'s network needs an address too', t => {
  const of = service({ container: { ...TINY, security: { ...service().spec.container.security, hostNamespaces: ['network'] } } });
  const { rejections } = schedule(snapshot({ nodes: [node('n1')], services: [of, filler], tasks: fill('n1', 'f', ADDRESSES) }), [{ service: of, slots: [{ slot: 0 }] }]);
  t.is(rejections[0]?.obstacles.groups[0]?.first.kind, 'address');
});

test('priority makes room for an address: one task goes, of all', t => {
  const urgent = service({ name: 'urgent', container: TINY, placement: { priority: 10 } });
  const state = snapshot({ nodes: [node('n1')], services: [urgent, filler], tasks: fill('n1', 'f', ADDRESSES) });
  const table = new NodeTable(state);
  t.is(findRoom(state, table, requestFor(state, table, urgent), { slot: 0, doomed: new Set() })?.victims.length, 1);
});

test('of random clusters no node gets more tasks than it has addresses, all that are free are used, and the order of what is read does not matter', t => {
  const random = new Random(11);
  for (let count = 0; count < 40; count += 1) {
    const taken = Array.from({ length: random.between(1, 3) }, () => random.between(ADDRESSES - 25, ADDRESSES));
    const nodes = taken.map((_, index) => node(`n${String(index + 1)}`));
    const tasks = taken.flatMap((many, index) => fill(`n${String(index + 1)}`, 'xyz'.charAt(index), many));
    const free = taken.reduce((sum, many) => sum + ADDRESSES - many, 0);
    // Many alike have a queue of nodes, few are looked at one by one, those with a rule of their own by all filters.
    const pending = ['web', 'api', 'db'].map((name, index) => ({
      service: service({ name, container: TINY, placement: { maxPer: index === 1 ? [{ label: 'node', count: 200 }] : [] } }), slots: slotsOf(random.between(0, [40, 15, 30][index] ?? 0)),
    }));
    const services = [filler, ...pending.map(one => one.service)];
    const { placements, rejections } = schedule(snapshot({ nodes, services, tasks }), pending);
    const wanted = pending.reduce((sum, one) => sum + one.slots.length, 0);
    t.is(placements.length, Math.min(wanted, free), `case ${String(count)}`);
    t.true(rejections.every(one => one.obstacles.groups.every(({ first }) => first.kind === 'address')), `case ${String(count)}`);
    const placed = placements.map(({ service: id, slot, node: on }) => ({ service: services.find(one => one.id === id) ?? filler, slot, node: on }));
    t.deepEqual(placementViolations({ nodes, tasks, placed }), [], `case ${String(count)}`);
    t.deepEqual(schedule(snapshot({ nodes: nodes.toReversed(), services: services.toReversed(), tasks: tasks.toReversed() }), pending.toReversed()).placements, placements);
  }
});
