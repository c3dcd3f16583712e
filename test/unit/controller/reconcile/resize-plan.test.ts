import test from 'ava';
import type { TaskStatus } from '#model/task.ts';
import { RESIZE_REFUSED } from '#model/task.ts';
import { resourcesOf } from '#model/resources.ts';
import { isEachInForce, planResizes } from '../../../../controller/reconcile/resize-plan.ts';
import { serviceState } from '../../../../controller/reconcile/task-row.ts';
import { container, MIB, node, service, snapshot, status, task } from '../../../support/builders.ts';

const sized = (milliCpu: number, memoryMib: number, cpuset?: string) => ({ requests: { milliCpu, memoryBytes: memoryMib * MIB }, limits: { memoryBytes: memoryMib * MIB, pids: 64, ...(cpuset === undefined ? {} : { cpuset }) } });
const SMALL = service({ replicas: 3, update: { maxSurge: 1, maxUnavailable: 0 }, container: container(sized(500, 512)) });
const grown = (milliCpu: number, memoryMib: number, cpuset?: string) => service({ replicas: 3, revision: 2, update: { maxSurge: 1, maxUnavailable: 0 }, container: container(sized(milliCpu, memoryMib, cpuset)) });
const N1 = node('n1');
const N2 = node('n2');
const TASKS = [task(SMALL, N1, { slot: 0 }), task(SMALL, N1, { slot: 1 }), task(SMALL, N2, { slot: 2 })];

function plan(of = grown(600, 768), statuses: readonly TaskStatus[] = TASKS.map(one => status(one, { resources: resourcesOf(one.container) })), tasks = TASKS) {
  const cluster = snapshot({ nodes: [N1, N2], services: [of], tasks, statuses });
  const state = serviceState(cluster, of.id);
  if (state === undefined) {
    throw new Error('the service is not there');
  }
  return planResizes(cluster, state);
}

test('as many at a time as an update may touch, the others later; none is out of date any more', t => {
  const { resizes, rows, waiting, replaced } = plan();
  t.deepEqual(resizes.map(one => [one.slot, one.revision, one.container.limits.memoryBytes]), [[0, 2, 768 * MIB]]);
  t.is(waiting, 2);
  t.is(replaced.size, 0);
  t.deepEqual(rows.map(({ task: { revision } }) => revision), [2, 2, 2]);
});

test('the next one only when the one before is in force', t => {
  const of = grown(600, 768);
  const first = { ...TASKS[0]!, ...task(of, N1, { slot: 0 }) };
  const tasks = [first, ...TASKS.slice(1)];
  const statuses = (resources: TaskStatus['resources']) => tasks.map(one => status(one, one.slot === 0 && resources !== undefined ? { resources } : { resources: resourcesOf(one.container) }));
  t.is(plan(of, statuses(resourcesOf(SMALL.spec.container)), tasks).resizes.length, 0);
  t.deepEqual(plan(of, statuses(resourcesOf(of.spec.container)), tasks).resizes.map(one => one.slot), [1]);
});

test('where the node has no room the task is replaced, and why is told', t => {
  const { resizes, replaced } = plan(grown(600, 3_700));
  t.deepEqual([...replaced.values()], ['n1 has no room for it', 'n1 has no room for it']);
  t.deepEqual(resizes.map(one => one.slot), [2]);
});

test('a smaller request fits even on a node that has too much', t => {
  t.is(plan(grown(100, 64)).replaced.size, 0);
});

test('a cpu that the node has not cannot come in place', t => {
  t.regex([...plan(grown(600, 768, '0-7')).replaced.values()][0] ?? '', /n1 has no cpu 4/);
});

test('a task whose own resources were changed keeps them until its service changes', t => {
  const own = TASKS.map(one => ({ ...one, container: { ...one.container, ...sized(700, 600) } }));
  t.deepEqual(plan(SMALL, own.map(one => status(one)), own).resizes, []);
  t.is(plan(grown(600, 768), own.map(one => status(one)), own).resizes[0]?.container.requests.milliCpu, 600);
});

test('another template is no change of resources', t => {
  t.deepEqual(plan(service({ ...{ replicas: 3, revision: 2, templateHash: 'other' }, container: container(sized(600, 768)) })).resizes, []);
});

test('a refused change is told, and counts as not in force', t => {
  const statuses = TASKS.map(one => status(one, one.slot === 1 ? { reason: RESIZE_REFUSED, message: 'memory 1 is below the 2 in use', resources: resourcesOf(one.container) } : { resources: resourcesOf(one.container) }));
  const { refusal, rows } = plan(SMALL, statuses);
  t.is(refusal, `${TASKS[1]?.name ?? ''}: memory 1 is below the 2 in use`);
  t.false(isEachInForce(rows));
  t.true(isEachInForce(plan(SMALL).rows));
});

test('the same state in any order gives the same plan', t => {
  t.deepEqual(plan(grown(600, 768), TASKS.toReversed().map(one => status(one)), TASKS.toReversed()).resizes, plan(grown(600, 768), TASKS.map(one => status(one))).resizes);
});
