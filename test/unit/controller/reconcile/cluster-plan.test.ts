import test from 'ava';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { Service } from '#model/app.ts';
import type { ClusterPlan } from '#model/cluster-plan.ts';
import { parseNodeId } from '#model/ids.ts';
import { DEFAULT_TIMES } from '#model/times.ts';
import { ClusterPlanner, planCluster, unplacedService, unplacedServices } from '../../../../controller/reconcile/cluster-plan.ts';
import type { PlanWish } from '../../../../controller/reconcile/cluster-plan.ts';
import type { PlanContext } from '../../../../controller/reconcile/plan-context.ts';
import { app, failed, node, resources, service, serviceStatus, snapshot, status, T0, task, taskId, volume } from '../../../support/builders.ts';
import type { SnapshotOptions } from '../../../support/builders.ts';

const CONTEXT: PlanContext = { nowMs: T0, clusterId: 'c', times: DEFAULT_TIMES, awayForMs: () => 0, revisionOf: () => undefined };
const NODES = [node('n1'), node('n2'), node('n3')];

function plan(state: SnapshotOptions, wish: Partial<PlanWish> & { readonly services?: readonly Service[] }): ClusterPlan {
  const { services = [], ...rest } = wish;
  const apps = services.length === 0 ? [] : [{ app: app('shop', { revision: 2 }), services, isChanged: true }];
  return planCluster(snapshot({ nodes: NODES, ...state }), { apps, withoutNodes: [], addedNodes: [], ...rest }, CONTEXT);
}

function lines({ actions }: ClusterPlan): readonly string[] {
  return actions.map(({ kind, slot, node: on, fromNode, reason }) => [kind, slot, ...(fromNode === undefined ? [] : [fromNode]), on, reason].join(' ').trim());
}

/** Three tasks of `web`, one a node, at rest. */
const web = service();
const AT_REST: SnapshotOptions = {
  services: [web], serviceStatuses: [serviceStatus(web)], tasks: NODES.map((one, slot) => task(web, one, { slot })),
};

test('a new service: every task starts, its node named', t => {
  const result = plan({}, { services: [service({ replicas: 2 })] });
  t.deepEqual(lines(result), ['start 0 n1 scale-up', 'start 1 n2 scale-up']);
  t.like(result.changes[0], { after: 'new service' });
  t.deepEqual(result.nodes.map(one => [one.before.milliCpu, one.after.milliCpu]), [[0, 50], [0, 50], [0, 0]]);
});

test('nothing wished, nothing done', t => {
  const result = planCluster(snapshot({ nodes: NODES, ...AT_REST }), { apps: [{ app: app(), services: [], isChanged: false }], withoutNodes: [], addedNodes: [] }, CONTEXT);
  t.deepEqual(lines(result), ['keep 0 n1', 'keep 1 n2', 'keep 2 n3']);
  t.deepEqual([result.changes, result.unplaced, result.notes], [[], [], []]);
});

test('scaled down: the highest slots stop', t => {
  t.deepEqual(lines(plan(AT_REST, { services: [service({ replicas: 1, revision: 2 })] })), ['keep 0 n1', 'stop 1 n2 scale-down', 'stop 2 n3 scale-down']);
});

test('another template: each is replaced where it was', t => {
  const result = plan(AT_REST, { services: [service({ templateHash: 'hash-2', revision: 2, container: { image: 'docker.io/library/nginx:2' } })] });
  t.deepEqual(lines(result), ['replace 0 n1 n1 rollout', 'replace 1 n2 n2 rollout', 'replace 2 n3 n3 rollout']);
  t.deepEqual(result.changes.map(({ path, before, after }) => [path, before, after]), [['image', 'docker.io/library/nginx:1.27', 'docker.io/library/nginx:2']]);
});

test('a node less: its tasks move', t => {
  const result = plan(AT_REST, { withoutNodes: [parseNodeId('n3')] });
  t.deepEqual(lines(result), ['keep 0 n1', 'keep 1 n2', 'move 2 n3 n1 drain']);
});

test('a node less: what has its data there stays, and is told with the rule that keeps it', t => {
  const db = service({ name: 'db', kind: 'stateful', replicas: 1, volumes: [{ name: 'data', perReplica: true }], container: { volumes: [{ kind: 'volume', source: 'data', target: '/d', readOnly: false }] } });
  const result = plan({ ...AT_REST, services: [web, db], serviceStatuses: [serviceStatus(web), serviceStatus(db)], tasks: [...AT_REST.tasks ?? [], task(db, 'n3', { id: taskId('db') })] }, { withoutNodes: [parseNodeId('n3')] });
  t.deepEqual(lines(result), ['keep 0 n1', 'keep 1 n2', 'move 2 n3 n1 drain']);
  t.deepEqual(result.unplaced.map(({ service: id, count, reasons }) => [id, count, reasons.map(one => one.rule)]), [[db.id, 1, ['volume default/data-0', 'draining']]]);
});

test('a node more: what was pending starts there, and the snapshot is as it was', t => {
  const big = service({ replicas: 1, container: { requests: resources(8_000, 64) } });
  const pending = serviceStatus(big, { settledRevision: 0, rollout: { state: 'progressing', reason: '', revision: 1, startedAtMs: T0 }, pending: [{ slot: 0, reason: 'no node fits' }] });
  const state = snapshot({ nodes: NODES, services: [big], serviceStatuses: [pending] });
  const added = { name: parseNodeId('n9'), capacity: resources(16_000, 4_096), labels: new Map(), taints: [], runtimes: [], devices: [] };
  const before = JSON.stringify([...state.nodes.keys(), ...state.tasks.keys()]);
  t.deepEqual(lines(planCluster(state, { apps: [], withoutNodes: [], addedNodes: [added] }, CONTEXT)), ['start 0 n9 scale-up']);
  t.is(JSON.stringify([...state.nodes.keys(), ...state.tasks.keys()]), before);
  t.is(planCluster(state, { apps: [], withoutNodes: [], addedNodes: [] }, CONTEXT).actions.length, 0);
});

test('what fits nowhere is counted, with its reasons and a fix', t => {
  const [unplaced] = plan({}, { services: [service({ replicas: 2, container: { requests: resources(8_000, 64) } })] }).unplaced;
  t.like(unplaced, { count: 2, reasons: [{ rule: 'cpu', nodes: ['n1', 'n2', 'n3'], have: '4 cpu', need: '8 cpu' }] });
  t.deepEqual(unplaced?.fix?.edit, { kind: 'field', path: 'services.web.resources.requests.cpus', value: '4' });
});

test('a command is told where it would change what is there: no planned manifest, no node that is only thought of', t => {
  const [one] = [service({ replicas: 1 })];
  const held = { nodes: [node('n1', { availability: 'cordoned' })] } as const;
  t.is(plan(held, { services: [one] }).unplaced[0]?.fix?.command, 'clusterctl node uncordon n1');
  t.deepEqual(plan({ nodes: [node('n1')], services: [one], serviceStatuses: [serviceStatus(one)], tasks: [task(one, 'n1')] }, { withoutNodes: [parseNodeId('n1')] }).unplaced.map(({ fix }) => [fix?.edit, fix?.command]), [
    [{ kind: 'node', node: 'n1', change: 'uncordon it' }, undefined],
  ]);
  const [planned] = plan({}, { services: [service({ container: { requests: resources(8_000, 64) } })] }).unplaced;
  t.is(planned?.fix?.edit.kind, 'field');
  t.is(planned?.fix?.command, undefined);
});

test('a service with nothing pending is not unplaced', t => {
  const state = snapshot({ nodes: NODES, ...AT_REST });
  t.deepEqual([unplacedServices(state), unplacedService(state, web.id)], [[], undefined]);
});

/** Two of four completions at a time; one ended well, one waits for its next attempt. */
const crunch = service({ name: 'crunch', kind: 'job', replicas: 4, job: { retries: 3, parallelism: 2 } });
const [crunched, tried] = [task(crunch, 'n1', { slot: 0, id: taskId('ja') }), task(crunch, 'n2', { slot: 1, id: taskId('jb') })];
const working = task(crunch, 'n3', { slot: 2, id: taskId('jc') });
const JOBS: SnapshotOptions = {
  services: [web, crunch],
  serviceStatuses: [
    serviceStatus(web),
    serviceStatus(crunch, { settledRevision: 0, rollout: { state: 'progressing', reason: '', revision: 1, startedAtMs: T0 }, crashLoops: [{ slot: 1, failures: 1, notBeforeMs: T0 + 10_000, task: tried.id }] }),
  ],
  tasks: [...NODES.map((one, slot) => task(web, one, { slot })), crunched, tried, working],
  statuses: [status(crunched, { phase: 'complete', finishedAtMs: T0 }), failed(tried), status(working), ...NODES.map((one, slot) => status(task(web, one, { slot })))],
};
const unchanged = { apps: [{ app: app(), services: [], isChanged: false }] };

test('a job that runs is left alone: neither its end, nor its next attempts and completions are of the plan', t => {
  t.deepEqual(lines(plan(JOBS, unchanged)), ['keep 2 n3', 'keep 0 n1', 'keep 1 n2', 'keep 2 n3']);
  t.deepEqual(lines(plan(JOBS, {})), []);
  const scaled = plan(JOBS, { services: [service({ replicas: 2, revision: 2 })] });
  t.deepEqual(lines(scaled), ['keep 2 n3', 'keep 0 n1', 'keep 1 n2', 'stop 2 n3 scale-down']);
});
test('a job that runs on a node that goes is moved, once', t => {
  t.deepEqual(lines(plan(JOBS, { withoutNodes: [parseNodeId('n3')] })), ['move 2 n3 n2 drain', 'keep 0 n1', 'keep 1 n2', 'move 2 n3 n2 drain']);
});
test('a run of a cron is left alone, and none is started on paper', t => {
  const nightly = service({ name: 'nightly', kind: 'cron', cron: { schedule: '* * * * *', timezone: 'UTC', concurrency: 'replace', isSuspended: false, keptSucceeded: 3, keptFailed: 1 } });
  const run = { ...service({ name: 'nightly-1', kind: 'job' }), cronRun: { cron: 'nightly', scheduledAtMs: T0, isManual: false } };
  const runs = task(run, 'n1', { id: taskId('ra') });
  const cron = { scheduleKey: 'UTC * * * * *', handledUntilMs: T0, nextAtMs: T0 + 60_000 };
  const state: SnapshotOptions = {
    ...AT_REST, services: [web, nightly, run], tasks: [...AT_REST.tasks ?? [], runs], statuses: [status(runs)],
    serviceStatuses: [serviceStatus(web), serviceStatus(nightly, { cron }), serviceStatus(run, { settledRevision: 0, rollout: { state: 'progressing', reason: '', revision: 1, startedAtMs: T0 } })],
  };
  t.deepEqual(lines(plan(state, unchanged)), ['keep 0 n1', 'keep 0 n1', 'keep 1 n2', 'keep 2 n3']);
  const rolled = plan(state, { services: [service({ templateHash: 'hash-2', revision: 2, update: { monitorMs: 180_000 } })] });
  t.deepEqual(lines(rolled), ['keep 0 n1', 'replace 0 n1 n1 rollout', 'replace 1 n2 n2 rollout', 'replace 2 n3 n3 rollout']);
});
test('a job that is changed is planned', t => {
  const changed = { ...crunch, revision: 2, templateHash: 'hash-2' };
  t.deepEqual(lines(plan(JOBS, { services: [changed] })).filter(line => !line.startsWith('keep')).map(line => line.split(' ').slice(0, 2).join(' ')), ['start 0', 'start 1', 'replace 2', 'start 3']);
});
test('a job is planned to its end', t => {
  t.deepEqual(lines(plan({}, { services: [service({ name: 'report', kind: 'job' })] })), ['start 0 n1 scale-up']);
});

test('a deleted service: all its tasks stop', t => {
  t.deepEqual(lines(plan(AT_REST, { services: [{ ...web, isDeleting: true }] })), ['stop 0 n1 service-deleted', 'stop 1 n2 service-deleted', 'stop 2 n3 service-deleted']);
});

test('in whatever order the state is read, the plan is the same', t => {
  const tasks = NODES.map((one, slot) => task(web, one, { slot, id: taskId(`t${'abc'.charAt(slot)}`) }));
  const wish = { services: [service({ name: 'api', replicas: 4 }), service({ replicas: 5, revision: 2 })] };
  const one = plan({ ...AT_REST, tasks }, wish);
  const other = plan({ ...AT_REST, tasks: tasks.toReversed(), nodes: NODES.toReversed() }, wish);
  t.deepEqual(other.actions, one.actions);
});

test('a plan in steps is the same, whatever the cluster does meanwhile; one that is cut short says so', t => {
  const web = service({ replicas: 3, revision: 2, templateHash: 'hash-2' });
  const of = (): ClusterSnapshot => snapshot({ nodes: NODES, ...AT_REST });
  const wish = { apps: [{ app: app('shop', { revision: 2 }), services: [web], isChanged: true }], withoutNodes: [], addedNodes: [] };
  const whole = planCluster(of(), wish, CONTEXT);
  const state = of();
  const planner = new ClusterPlanner(state, wish, CONTEXT);
  t.false(planner.step());
  t.deepEqual(planner.plan.notes, ['there was no time to follow the cluster to its rest: this is only its beginning', ...planner.plan.notes.slice(1)]);
  for (const table of [state.tasks, state.nodes, state.services, state.statuses, state.tasksOfService, state.tasksOnNode]) (table as Map<unknown, unknown>).clear();
  while (!planner.step());
  t.deepEqual(planner.plan, whole);
  t.true(whole.actions.some(one => one.kind !== 'keep'));
});

test('a service that scales by itself is planned with the replicas that it has, and says so', t => {
  const scaling = service({ replicas: 2, revision: 2, autoscale: { min: 2, max: 9, cpuPercent: 50, stabilizationMs: 0, upStabilizationMs: 0 } });
  const autoscale = { replicas: 4, changedAtMs: T0, reason: '', wishes: [] };
  const result = plan({ ...AT_REST, serviceStatuses: [serviceStatus(web, { autoscale })] }, { services: [scaling] });
  t.deepEqual(lines(result), ['keep 0 n1', 'keep 1 n2', 'keep 2 n3', 'start 3 n1 scale-up']);
  t.deepEqual(result.notes, ['service/default/shop/web scales by itself, from 2 to 9 replicas; the plan is for 4']);
});

test('an added node takes what asks for its devices, its disk and its processes, and no more than it has', t => {
  const picky = service({ replicas: 3, placement: { tolerate: ['gpu'] }, container: { requests: { ...resources(50, 32), diskBytes: 100, pids: 10 }, deviceRequests: [{ name: 'acme.com/gpu', count: 1 }] } });
  const added = (change: object, count = 2) => ({
    name: parseNodeId('n9'), capacity: { ...resources(16_000, 4_096), diskBytes: 1_000, pids: 100, ...change }, labels: new Map(), taints: ['gpu'], runtimes: [], devices: [{ name: 'acme.com/gpu', count }],
  });
  const started = (node: ReturnType<typeof added>): number => plan({}, { services: [picky], addedNodes: [node] }).actions.filter(action => action.node === 'n9').length;
  t.is(started(added({})), 2);
  t.is(started(added({}, 9)), 3);
  t.is(started(added({ diskBytes: 199 })), 1);
  t.is(started(added({ pids: 19 })), 1);
});

test('a plan shows what fits nowhere, not the end of a rollout at its deadline', t => {
  const big = service({ revision: 2, templateHash: 'hash-2', update: { progressDeadlineMs: 60_000 }, container: { requests: resources(99_000, 64) } });
  const result = plan(AT_REST, { services: [big] });
  t.deepEqual(result.unplaced.map(one => [one.service, one.count]), [[big.id, 3]]);
  t.deepEqual(lines(result), ['keep 0 n1', 'keep 1 n2', 'keep 2 n3']);
});

test('an App that comes again starts where its data is, each ordinal, and the plan says so', t => {
  const db = service({
    name: 'db', kind: 'stateful', replicas: 2, volumes: [{ name: 'data', perReplica: true }], container: { volumes: [{ kind: 'volume', source: 'data', target: '/d', readOnly: false }] },
  });
  const result = plan({ volumes: [volume('n3', { slot: 0, unusedSinceMs: T0 }), volume('n2', { slot: 1, unusedSinceMs: T0 })] }, { services: [db] });
  t.deepEqual(lines(result), ['start 0 n3 scale-up; its volume default/data-0 is on n3', 'start 1 n2 scale-up; its volume default/data-1 is on n2']);
});
