import test from 'ava';
import { planService } from '../../../../controller/reconcile/service-plan.ts';
import type { Action, Plan } from '../../../../controller/reconcile/plan.ts';
import { templateHash } from '../../../../controller/api/revision.ts';
import type { Revision, Service, ServiceStatus } from '#model/app.ts';
import { appId, parseNodeId } from '#model/ids.ts';
import type { TaskId } from '#model/ids.ts';
import type { Task, TaskStatus } from '#model/task.ts';
import { DEFAULT_TIMES } from '#model/times.ts';
import { T0, app, failed, node, resources, revisionWith, service, serviceStatus, snapshot, status, task, taskId } from '../../../support/builders.ts';
import type { SnapshotOptions } from '../../../support/builders.ts';

const THREE = [node('n1'), node('n2'), node('n3')];
const LATER = T0 + 3_600_000;

interface Case extends SnapshotOptions {
  readonly of: Service;
  readonly nowMs?: number;
  /** How long the leader has counted every node that is away. */
  readonly awayForMs?: number;
  readonly revisions?: readonly Revision[];
}

function plan({ of, nowMs = LATER, awayForMs = 0, revisions = [], ...state }: Case): Plan {
  return planService(
    snapshot({ services: [of], nodes: THREE, serviceStatuses: [serviceStatus(of)], ...state }), of.id,
    { nowMs, clusterId: 'cluster', times: DEFAULT_TIMES, awayForMs: () => awayForMs, revisionOf: (_, number) => revisions.find(one => one.number === number) },
  );
}

/** One word an action: `+0@n1 scale-up`, `-taaaaaaaaaaa rollout`, `x...`; the status apart. */
function line(action: Action): readonly string[] {
  switch (action.kind) {
    case 'create-task':
      return [`+${String(action.task.slot)}@${action.task.node} ${action.reason}`];
    case 'stop-task':
      return [`-${action.taskId} ${action.reason}`];
    case 'remove-task':
      return [`x${action.taskId} ${action.reason}`];
    case 'set-service-status':
      return [];
    default:
      return [action.kind];
  }
}

function statusOf({ actions }: Plan): ServiceStatus | undefined {
  return actions.flatMap(action => (action.kind === 'set-service-status' ? [action.status] : []))[0];
}

const plans = test.macro({
  exec(t, input: Case, expected: readonly string[]) {
    t.deepEqual(plan(input).actions.flatMap(line), expected);
  },
  title: (name = '') => `planService: ${name}`,
});

const web = service();
const [w0, w1, w2] = [task(web, 'n1', { slot: 0 }), task(web, 'n2', { slot: 1 }), task(web, 'n3', { slot: 2 })] as const;
const running = [w0, w1, w2];

test('a new service gets all its tasks, each with a node', plans, { of: web, serviceStatuses: [] }, ['+0@n1 scale-up', '+1@n2 scale-up', '+2@n3 scale-up']);
test('all tasks serve: nothing to do', plans, { of: web, tasks: running }, []);
test('scaled up', plans, { of: service({ replicas: 4 }), tasks: running }, ['+3@n1 scale-up']);
test('scaled down: the highest slots go', plans, { of: service({ replicas: 1 }), tasks: running }, [`-${w2.id} scale-down`, `-${w1.id} scale-down`]);
test('scaled to nothing', plans, { of: service({ replicas: 0 }), tasks: running }, [`-${w2.id} scale-down`, `-${w1.id} scale-down`, `-${w0.id} scale-down`]);
test('a stopped task is replaced while it stops, within max_surge', plans, { of: web, tasks: [w0, w1, { ...w2, desired: 'stop', reason: 'operator' }] }, ['+2@n3 operator']);
test('with max_surge 0 only once it has ended', plans, { of: service({ update: { maxSurge: 0, maxUnavailable: 1 } }), tasks: [w0, w1, { ...w2, desired: 'stop' }] }, []);

const next = service({ revision: 2, templateHash: 'hash-2' });
const atOne = [serviceStatus(web)];
const n0 = task(next, 'n2', { slot: 0, id: taskId('nb'), fence: 50 });
test('rollout: one replacement first, the old one stays', plans, { of: next, tasks: running, serviceStatuses: atOne }, ['+0@n1 rollout']);
test('rollout: until the new one serves, nothing', plans, { of: next, tasks: [...running, n0], statuses: [...running.map(one => status(one)), status(n0, { health: 'starting' })], serviceStatuses: atOne }, []);
test('rollout: once it serves, the old one of its slot stops', plans, { of: next, tasks: [...running, n0], serviceStatuses: atOne }, [`-${w0.id} replaced`]);
test('rollout: the next slot waits until the stopped one has ended', plans, { of: next, tasks: [{ ...w0, desired: 'stop' }, w1, w2, n0], serviceStatuses: atOne }, []);
test('rollout: then it goes on', plans, { of: next, tasks: [w1, w2, n0], serviceStatuses: atOne }, ['+1@n1 rollout']);
test('rollout: max_unavailable 1 and max_surge 0 stops one first', plans, { of: service({ ...next.spec, revision: 2, templateHash: 'hash-2', update: { maxSurge: 0, maxUnavailable: 1 } }), tasks: running, serviceStatuses: atOne }, [`-${w0.id} rollout`]);
test('rollout: old tasks that serve nobody go at once', plans,
  { of: next, tasks: running, statuses: [status(w0), status(w1, { phase: 'pulling' }), status(w2, { health: 'unhealthy' })], serviceStatuses: atOne }, [`-${w1.id} rollout`, `-${w2.id} rollout`, '+0@n1 rollout']);
test('rollout by recreate: all old ones first', plans, { of: service({ revision: 2, templateHash: 'hash-2', update: { strategy: 'recreate' } }), tasks: running, serviceStatuses: atOne }, running.map(one => `-${one.id} rollout`));
test('a slot with two old tasks gives one up, so that there is room for the next', plans,
  { of: service({ revision: 3, templateHash: 'hash-3' }), tasks: [...running, n0], serviceStatuses: atOne }, [`-${w0.id} replaced`]);

const full = [node('n1', { capacity: resources(50, 32) })];
test('a replacement that fits nowhere leaves the old one', plans, { of: service({ replicas: 1, revision: 2, templateHash: 'hash-2' }), nodes: full, tasks: [w0], serviceStatuses: atOne }, []);
test('and the status says why', t => {
  const stuck = plan({ of: service({ replicas: 1, revision: 2, templateHash: 'hash-2' }), nodes: full, tasks: [w0], serviceStatuses: atOne });
  const reason = 'no node fits: 1 of 1 node has not enough memory free (need 32Mi, most free 0 on n1)';
  t.like(statusOf(stuck), { pending: [{ slot: 0, reason }], rollout: { state: 'progressing', reason: `slot 0: ${reason}`, revision: 2, startedAtMs: LATER } });
  t.deepEqual(stuck.events.map(event => event.reason), ['Unschedulable', 'Rollout']);
});

test('a new Revision settles after its monitor time', t => {
  const tasks = [0, 1, 2].map(slot => task(next, 'n1', { slot }));
  const first = plan({ of: next, tasks, serviceStatuses: atOne });
  t.like(statusOf(first), { settledRevision: 1, rollout: { state: 'progressing', healthySinceMs: LATER } });
  t.is(first.wakeAtMs, LATER + 30_000);
  const watched = statusOf(first)!;
  t.deepEqual(plan({ of: next, tasks, serviceStatuses: [watched], nowMs: LATER + 29_999 }).actions, []);
  t.like(statusOf(plan({ of: next, tasks, serviceStatuses: [watched], nowMs: LATER + 30_000 })), { settledRevision: 2, rollout: { state: 'settled', reason: '' } });
});
test('the first Revision of a service without a health check is watched for 2 s before it settles: it may exit again', t => {
  const first = plan({ of: web, tasks: running, serviceStatuses: [] });
  t.like(statusOf(first), { settledRevision: 0, rollout: { state: 'progressing', reason: 'healthy, being watched' } });
  t.is(first.wakeAtMs, LATER + 2_000);
  const watched = statusOf(first)!;
  t.deepEqual(plan({ of: web, tasks: running, serviceStatuses: [watched], nowMs: LATER + 1_999 }).actions, []);
  t.like(statusOf(plan({ of: web, tasks: running, serviceStatuses: [watched], nowMs: LATER + 2_000 })), { settledRevision: 1, rollout: { state: 'settled' } });
  const restarted = [status(w0), status(w1, { restarts: 1, attempt: 2 }), status(w2)];
  t.is(plan({ of: web, tasks: running, statuses: restarted, serviceStatuses: [watched], nowMs: LATER + 2_000 }).wakeAtMs, LATER + 30_000, 'it exited meanwhile');
});
test('it settles as soon as it serves with a health check, and where update.monitor is 0', t => {
  const healthcheck = { action: { kind: 'tcp', port: 80 }, intervalMs: 1_000, timeoutMs: 1_000, retries: 1, startPeriodMs: 0 } as const;
  const healthy = running.map(one => status(one, { health: 'healthy' }));
  for (const one of [service({ container: { healthcheck } }), service({ update: { monitorMs: 0 } })]) {
    t.like(statusOf(plan({ of: one, tasks: running, statuses: healthy, serviceStatuses: [] })), { settledRevision: 1, rollout: { state: 'settled' } });
  }
});
test('the first Revision with a task that had to be started again settles after its monitor time: it may end again', t => {
  const again = [status(w0), status(w1, { restarts: 1, attempt: 2 }), status(w2)];
  const first = plan({ of: web, tasks: running, statuses: again, serviceStatuses: [] });
  t.like(statusOf(first), { settledRevision: 0, rollout: { state: 'progressing', reason: 'healthy, being watched' } });
  t.is(first.wakeAtMs, LATER + 30_000);
  const watched = statusOf(first)!;
  t.like(statusOf(plan({ of: web, tasks: running, statuses: again, serviceStatuses: [watched], nowMs: LATER + 30_000 })), { settledRevision: 1, rollout: { state: 'settled' } });
});
test('so it does where a task of it failed and was replaced', t => {
  const known = serviceStatus(web, { settledRevision: 0, rollout: { state: 'failed', reason: 'x', revision: 1, startedAtMs: T0 }, crashLoops: [{ slot: 0, failures: 1, notBeforeMs: T0, task: w1.id }] });
  t.like(statusOf(plan({ of: web, tasks: running, serviceStatuses: [known] })), { settledRevision: 0, rollout: { state: 'progressing', reason: 'healthy, being watched' } });
});

test('a failing Revision is rolled back to the settled spec, and the status keeps the reason', t => {
  const bad = task(next, 'n2', { slot: 0, id: taskId('nb'), fence: 50 });
  const input: Case = { of: next, tasks: [...running, bad], statuses: [...running.map(one => status(one)), failed(bad)], serviceStatuses: atOne, revisions: [revisionWith(web)] };
  const back = plan(input);
  t.deepEqual(back.actions.map(action => action.kind), ['rollback-service', 'set-service-status']);
  const [rollback] = back.actions;
  t.like(rollback, { service: { revision: 1, spec: web.spec, templateHash: templateHash(web.spec, web.pins, web.volumes, 0) } });
  const reason = `revision 2 rolled back to 1: ${bad.name}: crash-loop: exited with 1`;
  t.like(statusOf(back), { settledRevision: 1, rollout: { state: 'rolled_back', revision: 2, reason } });
  const after = plan({ ...input, of: web, serviceStatuses: [statusOf(back)!] });
  t.deepEqual(after.actions.flatMap(line), []);
  t.is(statusOf(after), undefined);
});
test('a rollback keeps the replicas that scale set since the settled Revision, not those of an earlier one', t => {
  const bad = task(next, 'n2', { slot: 0, id: taskId('nb'), fence: 50 });
  const rolledBack = (scale: Service['scale'], replicas: number): number | undefined => {
    const of = { ...next, spec: { ...next.spec, replicas }, ...(scale === undefined ? {} : { scale }) };
    const [rollback] = plan({ of, tasks: [...running, bad], statuses: [...running.map(one => status(one)), failed(bad)], serviceStatuses: atOne, revisions: [revisionWith(web)] }).actions;
    return rollback?.kind === 'rollback-service' ? rollback.service.spec.replicas : undefined;
  };
  t.is(rolledBack({ replicas: 5, revision: 1 }, 5), 5);
  t.is(rolledBack({ replicas: 5, revision: 1 }, 1), 5);
  t.is(rolledBack({ replicas: 7, revision: 2 }, 7), 7);
  t.is(rolledBack({ replicas: 5, revision: 0 }, 5), 3);
  t.is(rolledBack(undefined, 5), 3);
});
test('a rollback keeps what autoscaling set, also where the failed Revision has other limits or none', t => {
  const limits = { min: 1, max: 10, cpuPercent: 50, stabilizationMs: 0, upStabilizationMs: 0 };
  const first = service({ autoscale: limits });
  const bad = task(next, 'n2', { slot: 0, id: taskId('nb'), fence: 50 });
  const set = { replicas: 3, changedAtMs: T0, reason: 'cpu', wishes: [] };
  const rolledBack = (of: Service, known: Partial<ServiceStatus>): number | undefined => statusOf(plan({
    of, tasks: [...running, bad], statuses: [...running.map(one => status(one)), failed(bad)],
    serviceStatuses: [serviceStatus(first, known)], revisions: [revisionWith(first)],
  }))?.autoscale?.replicas;
  const scaled = { ...next, scale: { replicas: 8, revision: 1 } };
  t.is(rolledBack({ ...scaled, spec: { ...next.spec, autoscale: { ...limits, max: 3 } } }, { autoscale: set }), 8);
  t.is(rolledBack(scaled, {}), 8);
  t.is(rolledBack({ ...scaled, spec: { ...next.spec, autoscale: limits } }, { autoscale: { ...set, replicas: 9 } }), 9);
});
const unhealthy = task(next, 'n2', { slot: 0, id: taskId('nb'), fence: 50 });
test('unhealthy is failing', plans, { of: next, tasks: [...running, unhealthy], statuses: [...running.map(one => status(one)), status(unhealthy, { health: 'unhealthy' })], serviceStatuses: atOne, revisions: [revisionWith(web)] }, ['rollback-service']);
test('on_failure: pause leaves the old tasks and goes no further', plans,
  { of: service({ revision: 2, templateHash: 'hash-2', update: { onFailure: 'pause' } }), tasks: [...running, unhealthy], statuses: [...running.map(one => status(one)), failed(unhealthy)], serviceStatuses: atOne }, []);

const f0 = task(web, 'n1', { slot: 0, fence: 9 });
test('a failed task is replaced after 10 s', t => {
  const input: Case = { of: web, tasks: [f0, w1, w2], statuses: [failed(f0), status(w1), status(w2)] };
  const first = plan(input);
  t.deepEqual(first.actions.flatMap(line), []);
  t.deepEqual(statusOf(first)?.crashLoops, [{ slot: 0, failures: 1, notBeforeMs: LATER + 10_000, task: f0.id }]);
  t.is(first.wakeAtMs, LATER + 10_000);
  const counted = [statusOf(first)!];
  t.deepEqual(plan({ ...input, serviceStatuses: counted, nowMs: LATER + 9_999 }).actions, []);
  t.deepEqual(plan({ ...input, serviceStatuses: counted, nowMs: LATER + 10_000 }).actions.flatMap(line), ['+0@n1 crash-loop']);
});

const gone = node('n1', { condition: 'lost' });
const without1 = [gone, node('n2'), node('n3')];
test('I18: a silent node changes nothing', plans, { of: web, tasks: running, nodes: [node('n1', { condition: 'silent' }), node('n2'), node('n3')] }, []);
test('a task on a lost node is replaced, and stopped for when it is back', plans, { of: web, tasks: running, nodes: without1 }, [`-${w0.id} node-lost`, '+0@n2 node-lost']);
test('not before the service\'s own replace_after', plans, { of: service({ onDisconnect: { kind: 'replace', afterMs: 80_000 } }), tasks: running, nodes: without1, awayForMs: 59_999 }, []);
test('but then', plans, { of: service({ onDisconnect: { kind: 'replace', afterMs: 80_000 } }), tasks: running, nodes: without1, awayForMs: 60_000 }, [`-${w0.id} node-lost`, '+0@n2 node-lost']);
test('H2: a wall clock an hour on replaces nothing earlier; the leader looks again when its own count is up', t => {
  const of = service({ onDisconnect: { kind: 'replace', afterMs: 80_000 } });
  const later = plan({ of, tasks: running, nodes: [{ ...gone, conditionSinceMs: LATER - 3_600_000 }, node('n2'), node('n3')], awayForMs: 40_000 });
  t.deepEqual(later.actions.flatMap(line), []);
  t.is(later.wakeAtMs, LATER + 20_000);
});
const solo = service({ onDisconnect: { kind: 'exclusive', stopAfterMs: 30_000, replaceAfterMs: 70_000 } });
const [s0, s1, s2] = [0, 1, 2].map(slot => task(solo, `n${String(slot + 1)}`, { slot, stopAfterMs: 30_000 })) as [Task, Task, Task];
const alone = [s0, s1, s2];
test('exclusive: not replaced before replace_after, whoever said that its node is lost', plans, { of: solo, tasks: alone, nodes: without1, awayForMs: 49_999 }, []);
test('exclusive: but then', plans, { of: solo, tasks: alone, nodes: without1, awayForMs: 50_000 }, [`-${s0.id} node-lost`, '+0@n2 node-lost']);
test('exclusive: a task that was made to stop later is waited for', plans, { of: solo, tasks: [{ ...s0, stopAfterMs: 90_000 }, s1, s2], nodes: without1, awayForMs: 89_999 }, []);
test('exclusive: until it has ended for sure', plans, { of: solo, tasks: [{ ...s0, stopAfterMs: 90_000 }, s1, s2], nodes: without1, awayForMs: 90_000 }, [`-${s0.id} node-lost`, '+0@n2 node-lost']);
test('exclusive: a task that was made before its service was is held', plans, { of: solo, tasks: [task(solo, 'n1', { slot: 0 }), s1, s2], nodes: without1, awayForMs: 10_000_000 }, []);
test('exclusive: so is one on a node without a deadman', plans, { of: solo, tasks: alone, nodes: [{ ...gone, hasDeadman: false }, node('n2'), node('n3')], awayForMs: 10_000_000 }, []);
test('exclusive: one that was to stop when its node was cut off occupies its slot as long', plans, { of: solo, tasks: [{ ...s0, desired: 'stop', reason: 'operator' }, s1, s2], nodes: without1, awayForMs: 49_999 }, []);
test('exclusive: and no longer', plans, { of: solo, tasks: [{ ...s0, desired: 'stop', reason: 'operator' }, s1, s2], nodes: without1, awayForMs: 50_000 }, ['+0@n2 operator']);
test('exclusive: a new leader, which counts anew, still fills the other slots', plans,
  { of: solo, tasks: [{ ...s0, desired: 'stop', reason: 'node-lost' }, task(solo, 'n2', { slot: 0, id: taskId('nb'), fence: 50, stopAfterMs: 30_000 }), s1], nodes: without1 }, ['+2@n3 scale-up']);
test('exclusive: the leader looks again when its own count is up', t => {
  t.is(plan({ of: solo, tasks: alone, nodes: without1, awayForMs: 20_000 }).wakeAtMs, LATER + 30_000);
});
test('with no room elsewhere the lost task stays wanted', plans, { of: service({ replicas: 1 }), tasks: [w0], nodes: [gone] }, []);
test('a removed node takes its tasks with it', plans, { of: web, tasks: running, nodes: [node('n2'), node('n3')] }, [`x${w0.id} node-removed`, '+0@n2 node-removed']);

const draining = [node('n1', { availability: 'draining' }), node('n2'), node('n3')];
test('drain: the replacement first', plans, { of: web, tasks: running, nodes: draining }, ['+0@n2 drain']);
const d0 = task(web, 'n2', { slot: 0, id: taskId('db'), fence: 50 });
test('drain: then the old one', plans, { of: web, tasks: [...running, d0], nodes: draining }, [`-${w0.id} replaced`]);
test('drain: held tasks are stopped first, one at a time', plans,
  { of: service({ kind: 'stateful' }), tasks: running.map(one => ({ ...one, kind: 'stateful' as const })), nodes: draining }, [`-${w0.id} drain`]);
test('drain: a task whose data is on the node stays', plans, (() => {
  const db = service({ kind: 'stateful', replicas: 1, volumes: [{ name: 'data', perReplica: true }], container: { volumes: [{ kind: 'volume', source: 'data', target: '/d', readOnly: false }] } });
  return { of: db, tasks: [task(db, 'n1')], nodes: draining };
})(), []);

const db = service({ name: 'db', kind: 'stateful' });
const [b0, b1, b2] = [task(db, 'n1', { slot: 0 }), task(db, 'n2', { slot: 1 }), task(db, 'n3', { slot: 2 })] as const;
test('stateful: slots start in order', plans, { of: db, serviceStatuses: [] }, ['+0@n1 scale-up']);
test('stateful: the next when the one below serves', plans, { of: db, tasks: [b0] }, ['+1@n2 scale-up']);
test('stateful: not before', plans, { of: db, tasks: [b0], statuses: [status(b0, { phase: 'starting' })] }, []);
test('stateful: scaled down one at a time from the top', plans, { of: service({ name: 'db', kind: 'stateful', replicas: 1 }), tasks: [b0, b1, b2] }, [`-${b2.id} scale-down`]);
test('stateful: updated one at a time from the top, stop-first', plans, { of: service({ name: 'db', kind: 'stateful', revision: 2, templateHash: 'hash-2' }), tasks: [b0, b1, b2], serviceStatuses: [serviceStatus(db)] }, [`-${b2.id} rollout`]);
test('I11: hold is not replaced when its node is lost', plans, { of: db, tasks: [b0, b1, b2], nodes: without1 }, []);
test('I11: nor while a stopped one may still run there', plans, { of: db, tasks: [{ ...b0, desired: 'stop' }, b1, b2], nodes: without1 }, []);
test('hold: replaced when the node was removed', plans, { of: db, tasks: [b0, b1, b2], nodes: [node('n2'), node('n3')] }, [`x${b0.id} node-removed`, '+0@n2 node-removed']);

const agent = service({ name: 'agent', kind: 'global', placement: { tolerate: [] } });
test('global: one on each ready node', plans, { of: agent, serviceStatuses: [], nodes: [node('n1'), node('n2', { availability: 'cordoned' }), node('n3', { taints: ['spot'] }), node('n4')] }, ['+1@n1 scale-up', '+4@n4 scale-up']);
test('global: a cordoned node keeps its task, a draining one does not', plans,
  { of: agent, tasks: [task(agent, 'n1', { slot: 1 }), task(agent, 'n2', { slot: 2 })], nodes: [node('n1', { availability: 'cordoned' }), node('n2', { availability: 'draining' })] }, [`-${taskId('tac')} drain`]);
test('global: a lost node\'s task is left for its return', plans, { of: agent, tasks: [task(agent, 'n1', { slot: 1 })], nodes: [gone] }, []);

const job = service({ name: 'report', kind: 'job', job: { retries: 1, timeoutMs: 60_000 } });
const j0 = task(job, 'n1', { createdAtMs: LATER - 59_999 });
const done = status(j0, { phase: 'complete', finishedAtMs: LATER });
test('job: complete stays complete', plans, { of: job, tasks: [j0], statuses: [done] }, []);
test('job: complete is settled', t => {
  t.like(statusOf(plan({ of: job, tasks: [j0], statuses: [done], serviceStatuses: [] })), { settledRevision: 1, rollout: { state: 'settled' } });
});
test('job: what ended well is remembered when its tasks are forgotten, and not done again', t => {
  const settled = statusOf(plan({ of: job, tasks: [j0], statuses: [done], serviceStatuses: [] }));
  t.deepEqual(settled?.job, { templateHash: job.templateHash, completions: 1, endedAtMs: LATER });
  const after = plan({ of: job, serviceStatuses: settled === undefined ? [] : [settled] });
  t.deepEqual(after.actions, []);
  const again = plan({ of: { ...job, templateHash: 'hash-2', revision: 2 }, serviceStatuses: settled === undefined ? [] : [settled] });
  t.deepEqual(again.actions.flatMap(line), ['+0@n1 scale-up']);
});
test('job: asked for more, it does only what is new, also at the second look', t => {
  const remembered = serviceStatus(job, { job: { templateHash: job.templateHash, completions: 1, endedAtMs: LATER } });
  const more = { ...job, revision: 2, spec: { ...job.spec, replicas: 2 } };
  const first = plan({ of: more, serviceStatuses: [remembered] });
  t.deepEqual(first.actions.flatMap(line), ['+1@n1 scale-up']);
  const status = statusOf(first);
  t.deepEqual(plan({ of: more, serviceStatuses: status === undefined ? [] : [status] }).actions.flatMap(line), ['+1@n1 scale-up']);
});
test('job: its timeout is the agent\'s to watch', plans, { of: job, tasks: [{ ...j0, createdAtMs: LATER - 60_000 }] }, []);
test('job: a retry after a failure', plans, { of: job, tasks: [j0], statuses: [failed(j0)], serviceStatuses: [serviceStatus(job, { settledRevision: 0, crashLoops: [{ slot: 0, failures: 1, notBeforeMs: LATER, task: j0.id }] })] }, ['+0@n1 crash-loop']);
test('job: failed once the retries are used up', t => {
  const crashLoops = [{ slot: 0, failures: 2, notBeforeMs: T0, task: j0.id }];
  const spent = plan({ of: job, tasks: [j0], statuses: [failed(j0)], serviceStatuses: [serviceStatus(job, { settledRevision: 0, crashLoops })] });
  t.deepEqual(spent.actions.flatMap(line), []);
  t.like(statusOf(spent), { rollout: { state: 'failed', reason: 'job failed: 2 attempts used up' } });
});
test('job: given up with its node, it ended well there: no retry of its successor, which stops where it runs', t => {
  const lost = { ...j0, desired: 'stop', reason: 'node-lost' } as const;
  const next = task(job, 'n2', { id: taskId('next'), fence: 2 });
  const exit = { attempt: 1, code: 0, reason: 'exited', finishedAtMs: LATER };
  const planned = (statuses: readonly TaskStatus[], failures: number): Plan => plan({
    of: job, tasks: [lost, next], statuses, nodes: [node('n1', { condition: 'lost' }), node('n2'), node('n3')],
    serviceStatuses: [serviceStatus(job, { settledRevision: 0, crashLoops: failures === 0 ? [] : [{ slot: 0, failures, notBeforeMs: T0, task: next.id }] })],
  });
  const ended = { ...done, lastExit: exit };
  const settled = planned([ended, failed(next)], 1);
  t.deepEqual(settled.actions.flatMap(line), []);
  t.like(statusOf(settled), { rollout: { state: 'settled' }, job: { completions: 1 } });
  t.deepEqual(planned([ended, status(next)], 0).actions.flatMap(line), [`-${next.id} done`]);
  t.deepEqual(planned([failed(next)], 1).actions.flatMap(line), ['+0@n2 crash-loop'], 'nothing is known of the first');
});
test('job: a slot that is done has used up no retries, while another runs', t => {
  const two = service({ name: 'report', kind: 'job', replicas: 2, job: { retries: 1 } });
  const [first, next, other] = [task(two, 'n1'), task(two, 'n2', { id: taskId('next'), fence: 2 }), task(two, 'n3', { slot: 1 })] as const;
  const stateAfter = (phase: 'complete' | 'failed'): string | undefined => statusOf(plan({
    of: two, tasks: [first, next, other], statuses: [status(first, { phase, finishedAtMs: LATER }), failed(next), status(other)],
    serviceStatuses: [serviceStatus(two, { settledRevision: 0, crashLoops: [{ slot: 0, failures: 2, notBeforeMs: T0, task: next.id }] })],
  }))?.rollout.state;
  t.deepEqual([stateAfter('complete'), stateAfter('failed')], ['progressing', 'failed']);
});

const needy = service({ dependsOn: [{ service: 'db', condition: 'service_healthy' }] });
test('a dependency that is not met holds the first tasks back', t => {
  const waiting = plan({ of: needy, services: [needy, db], serviceStatuses: [] });
  t.deepEqual(waiting.actions.flatMap(line), []);
  t.like(statusOf(waiting), { rollout: { state: 'waiting', reason: 'waits for db to be healthy' } });
});
test('a dependency that serves lets them go', plans, { of: needy, services: [needy, db], tasks: [b0], serviceStatuses: [] }, ['+0@n2 scale-up', '+1@n3 scale-up', '+2@n1 scale-up']);
test('a settled service is healed whatever its dependencies do', plans, { of: needy, services: [needy, db], tasks: [w0, w1] }, ['+2@n3 scale-up']);

const deleted = service({ isDeleting: true });
test('deleted: all tasks stop', plans, { of: deleted, tasks: running }, running.map(one => `-${one.id} service-deleted`));
test('deleted: stopping tasks are waited for', plans, { of: deleted, tasks: [{ ...w0, desired: 'stop' }] }, []);
test('deleted: with the last task the service goes', plans, { of: deleted, tasks: [{ ...w0, desired: 'stop' }], statuses: [failed(w0)] }, [`x${w0.id} service-deleted`, 'remove-service']);
test('a service goes with its App', plans, { of: web, apps: [app('shop', { isDeleting: true })], tasks: [] }, ['remove-service']);

test('ids: the same decision makes the same task, another slot or revision another', t => {
  const ids = (etcdRevision: number) => plan({ of: web, serviceStatuses: [], etcdRevision }).actions.flatMap(action => (action.kind === 'create-task' ? [action.task.id] : []));
  t.deepEqual(ids(100), ids(100));
  t.is(new Set([...ids(100), ...ids(101)]).size, 6);
});
test('the fence rises with every replacement of a slot', t => {
  const old: readonly Task[] = [{ ...w0, fence: 500, desired: 'stop' }, w1, w2];
  const statuses: readonly TaskStatus[] = [failed(w0), status(w1), status(w2)];
  const [create] = plan({ of: web, tasks: old, statuses, etcdRevision: 100 }).actions.flatMap(action => (action.kind === 'create-task' ? [action.task] : []));
  t.is(create?.fence, 501);
});

test('A11: a task that cannot be read holds back its own service: a slot that looks empty may have it', t => {
  const of = service({ replicas: 1 });
  t.deepEqual(plan({ of }).actions.flatMap(line), ['+0@n1 scale-up']);
  const heldBack = plan({ of, unreadableTasks: [[taskId('lost'), { serviceId: of.id, node: parseNodeId('n1') }]] });
  t.deepEqual(heldBack.actions, []);
  t.deepEqual(heldBack.events.map(({ reason, object }) => [reason, object]), [['UnreadableTask', `service/${of.id}`]]);
  t.deepEqual(plan({ of, unreadableTasks: [[taskId('lost'), { serviceId: service({ app: 'other' }).id }]] }).actions.flatMap(line), ['+0@n1 scale-up']);
});

test('A11: a task of which not even the owner can be read holds back those that must never have two copies, and no others', t => {
  const unreadableTasks = [taskId('lost')];
  t.deepEqual(plan({ of: service({ replicas: 1 }), unreadableTasks }).actions.flatMap(line), ['+0@n1 scale-up']);
  t.deepEqual(plan({ of: service({ replicas: 1, onDisconnect: { kind: 'hold' } }), unreadableTasks }).actions, []);
  t.deepEqual(plan({ of: service({ replicas: 1, kind: 'stateful' }), unreadableTasks }).actions, []);
});

test('A11: a service with a task that cannot be read is not removed before that is', t => {
  const of = service({ replicas: 1, isDeleting: true });
  const removals = (unreadableTasks: readonly (readonly [TaskId, object])[]): readonly string[] => plan({ of, unreadableTasks }).actions.map(({ kind }) => kind);
  t.deepEqual([removals([]), removals([[taskId('lost'), { serviceId: of.id }]])], [['remove-service'], []]);
});

test('what a newer controller wrote into a service or a task of it is left as it is', t => {
  const of = service({ replicas: 2 });
  const newer = { notUnderstood: ['restart mode 9'] };
  for (const state of [{ of: { ...of, ...newer } }, { of, tasks: [{ ...task(of, 'n1'), ...newer }] }]) {
    const heldBack = plan(state);
    t.deepEqual(heldBack.actions, []);
    t.deepEqual(heldBack.events.map(({ reason, object }) => [reason, object]), [['NewerRecord', `service/${of.id}`]]);
  }
});

test('A11: an App that cannot be read is not gone: its services stay as they are', t => {
  const of = service({ replicas: 1 });
  const heldBack = plan({ of, tasks: [task(of, 'n1')], apps: [], unreadableApps: [appId(of.namespace, of.app)] });
  t.deepEqual(heldBack.actions, []);
  t.deepEqual(heldBack.events.map(event => event.reason), ['UnreadableOwner']);
});

test('A11: a Node that cannot be read is not removed: its tasks are neither forgotten nor made anew', t => {
  const of = service({ replicas: 1 });
  const [first, ...others] = THREE;
  const state = { of, tasks: [task(of, 'n1')], nodes: others };
  t.deepEqual(plan(state).actions.flatMap(line).length, 2);
  t.deepEqual(plan({ ...state, unreadableNodes: first === undefined ? [] : [first.id] }).actions, []);
});

test('aborted where only replicas changed: as many as before again', t => {
  const three = { ...web, templateHash: templateHash(web.spec, web.pins, web.volumes, 0) };
  const five = { ...three, revision: 2, spec: { ...three.spec, replicas: 5 }, rollout: { isPaused: false, promotedSteps: 0, isAborted: true } };
  const tasks = running.map(one => ({ ...one, templateHash: three.templateHash }));
  const aborted = plan({ of: five, tasks, serviceStatuses: [serviceStatus(three)], revisions: [revisionWith(three)] });
  t.like(aborted.actions[0], { kind: 'rollback-service', service: { revision: 1, spec: { replicas: 3 } } });
  t.like(statusOf(aborted)?.rollout, { state: 'rolled_back', reason: 'revision 2 rolled back to 1: aborted by an operator' });
});
test('a move that cannot be is taken back, and told', t => {
  const stuck = plan({ of: web, tasks: [{ ...w0, moveTo: parseNodeId('n2') }, w1, w2], nodes: [THREE[0]!, node('n2', { availability: 'cordoned' }), THREE[2]!] });
  t.deepEqual(stuck.actions.flatMap(line), ['cancel-move']);
  t.like(stuck.events[0], { type: 'warning', object: `task/${w0.id}`, reason: 'MoveAbandoned' });
});

test('a task that stops is not written a second time: neither resized nor its wish taken back', t => {
  const container = { requests: resources(100, 64) };
  const held = service({ name: 'db', kind: 'stateful', replicas: 1, container });
  const before = task(service({ name: 'db', kind: 'stateful', replicas: 1 }), 'n1');
  const draining = [node('n1', { availability: 'draining' }), node('n2')];
  t.deepEqual(plan({ of: held, tasks: [before], nodes: draining }).actions.flatMap(line), [`-${before.id} drain`]);
  t.deepEqual(plan({ of: service({ replicas: 0, container }), tasks: [w0] }).actions.flatMap(line), [`-${w0.id} scale-down`]);
  const stuck = { ...w0, moveTo: parseNodeId('n9') };
  t.deepEqual(plan({ of: service({ replicas: 0 }), tasks: [stuck] }).actions.flatMap(line), [`-${w0.id} scale-down`]);
});
