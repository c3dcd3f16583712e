/** Services of one slot that differ in nothing that counts: what one of them finds out holds for the others. */
import test from 'ava';
import { parseNodeId } from '#model/ids.ts';
import { schedule } from '../../../../controller/schedule/schedule.ts';
import type { PendingService } from '../../../../controller/schedule/schedule.ts';
import { node, resources, service, serviceStatus, snapshot, task } from '../../../support/builders.ts';

const nodes = ['n1', 'n2', 'n3'].map(name => node(name, { capacity: resources(1_000, 1_000) }));
const low = service({ name: 'low', replicas: 3, container: { requests: resources(800, 800) }, placement: { priority: 3 } });
const tasks = nodes.map(({ id }, slot) => task(low, id, { slot }));

function alike(count: number, priority: number): readonly PendingService[] {
  const options = { name: 'web', replicas: 1, container: { requests: resources(600, 600) }, placement: { priority } };
  return Array.from({ length: count }, (_, index) => ({ service: service({ ...options, app: `p${String(priority)}-${String(index)}` }), slots: [{ slot: 0 }] }));
}

test('the nodes are examined once for services that are alike and fit nowhere', t => {
  const pending = alike(20, 3);
  const { rejections, preemptions } = schedule(snapshot({ nodes, services: [low, ...pending.map(one => one.service)], tasks }), pending);
  t.is(rejections.length, 20);
  t.deepEqual(rejections.map(one => one.slots), pending.map(() => [0]));
  t.is(new Set(rejections.map(one => one.obstacles)).size, 1);
  t.is(rejections[0]?.obstacles.total, 3);
  t.deepEqual(preemptions, []);
});

test('each of them gets room of its own, and none of another priority by the search of the first', t => {
  const pending = [...alike(2, 5), ...alike(20, 2)];
  const { rejections, preemptions } = schedule(snapshot({ nodes, services: [low, ...pending.map(one => one.service)], tasks }), pending);
  t.is(rejections.length, 22);
  t.deepEqual(preemptions.map(one => [one.service, one.node]), pending.slice(0, 2).map((one, index) => [one.service.id, parseNodeId(`n${String(index + 1)}`)]));
  t.is(new Set(preemptions.flatMap(one => one.victims)).size, 2);
});

test('one for which room was made gets it, though others that are alike failed before', t => {
  const pending = alike(20, 3);
  const [last] = pending.toSorted((left, right) => (left.service.id < right.service.id ? 1 : -1));
  const waiting = serviceStatus(last?.service ?? low, { pending: [{ slot: 0, reason: '', node: parseNodeId('n3') }] });
  const state = snapshot({ nodes, services: [low, ...pending.map(one => one.service)], tasks: tasks.slice(0, 2), serviceStatuses: [waiting] });
  const { placements } = schedule(state, pending);
  t.deepEqual(placements.map(one => [one.service, one.node]), [[last?.service.id, parseNodeId('n3')]]);
});
