import test from 'ava';
import type { ServiceStatus } from '#model/app.ts';
import type { Task } from '#model/task.ts';
import { settlingAmounts } from '../../../../controller/schedule/settling.ts';
import { schedule } from '../../../../controller/schedule/schedule.ts';
import { failed, MIB, node, resources, service, serviceStatus, snapshot, status, T0, task, taskId } from '../../../support/builders.ts';
import { parseNodeId } from '#model/ids.ts';

const old = service({ replicas: 2, container: { requests: resources(100, 10) } });
const grown = { ...service({ replicas: 2, container: { requests: resources(300, 30) } }), revision: 2, templateHash: 'hash-2' };
const ROLLING = { state: 'progressing', reason: '', revision: 2, startedAtMs: T0 } as const;
const nodes = [node('n1'), node('n2'), node('n3')];
const [a, b] = [task(old, 'n1'), task(old, 'n2', { slot: 1 })];

function amounts(tasks: readonly Task[], options: Partial<ServiceStatus> = {}, ended?: Task): readonly string[] {
  const statuses = tasks.map(one => (one === ended ? failed(one) : status(one)));
  const state = snapshot({ nodes, services: [grown], tasks, statuses, serviceStatuses: [serviceStatus(old, { rollout: ROLLING, ...options })] });
  return settlingAmounts(state, name => nodes.findIndex(one => one.id === name)).map(one => `n${String(one.row + 1)} ${String(one.milliCpu)} ${String(one.memoryBytes / MIB)}`);
}
const renewed = task(grown, 'n1', { id: taskId('tz'), fence: 2 });

test('each slot as its service asks for it now, where it is', t => {
  t.deepEqual(amounts([a, b]), ['n1 200 20', 'n2 200 20']);
});
test('beside its replacement the old task counts for nothing: as much is wanted before, while and after', t => {
  t.deepEqual(amounts([a, renewed, b]), ['n1 -100 -10', 'n2 200 20']);
  t.deepEqual(amounts([{ ...a, desired: 'stop' }, renewed, b]), ['n2 200 20'], 'what is to stop is not wanted anyway');
  t.deepEqual(amounts([a, renewed, b], {}, a), ['n2 200 20']);
});
test('a slot that has a node for later counts there, until it is there', t => {
  const planned = [{ slot: 0, node: parseNodeId('n3') }];
  t.deepEqual(amounts([a, b], { planned }), ['n1 -100 -10', 'n2 200 20', 'n3 300 30']);
  t.deepEqual(amounts([a, b, { ...renewed, node: parseNodeId('n3') }], { planned }), ['n1 -100 -10', 'n2 200 20']);
  t.deepEqual(amounts([], { planned }), ['n3 300 30']);
});
test('a slot that goes counts as gone', t => {
  t.deepEqual(amounts([a, b, task(old, 'n3', { slot: 2 })]), ['n1 200 20', 'n2 200 20', 'n3 -100 -10']);
});
test('what has settled is as it is', t => {
  t.deepEqual(amounts([a, b], { settledRevision: 2, rollout: { ...ROLLING, state: 'settled' } }), []);
});
test('who places meanwhile takes the node that will have more room', t => {
  const two = [node('n1'), node('n2')];
  const other = service({ name: 'db', container: { requests: resources(150, 15) } });
  const lone = task(other, 'n2', { id: taskId('td') });
  const late = service({ name: 'late', replicas: 1 });
  const state = (on: readonly Task[]) => snapshot({ nodes: two, services: [grown, other, late], tasks: [lone, ...on], serviceStatuses: [serviceStatus(old, { rollout: ROLLING })] });
  const chosen = (on: readonly Task[]): unknown => schedule(state(on), [{ service: late, slots: [{ slot: 0 }] }]).placements.map(one => one.node);
  t.deepEqual(chosen([a]), ['n2'], 'now n1 has more');
  t.deepEqual(chosen([a, renewed]), ['n2']);
});
