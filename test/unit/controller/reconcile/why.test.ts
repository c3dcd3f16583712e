import test from 'ava';
import { parseNodeId } from '#model/ids.ts';
import { preemptedReason } from '../../../../controller/reconcile/placement-plan.ts';
import { whyService, whyTask } from '../../../../controller/reconcile/why.ts';
import { failed, node, resources, service, serviceStatus, snapshot, status, T0, task, taskId, volume } from '../../../support/builders.ts';

const NODES = [node('n1'), node('n2', { taints: ['spot'] }), node('n3')];
const web = service({ replicas: 1 });
const one = task(web, 'n1');
const PLACED = snapshot({ nodes: NODES, services: [web], serviceStatuses: [serviceStatus(web)], tasks: [one] });
const sentences = (answer: ReturnType<typeof whyService>): string => (answer?.reasons ?? []).map(reason => reason.sentence).join('; ');

test('why here: the rules that kept other nodes out, and in what it was ahead of the rest', t => {
  const answer = whyTask(PLACED, one.id, undefined);
  t.is(answer?.state, 'running');
  t.regex(sentences(answer), /made because the service wanted one more task; task \S+ is on n1; n1 was ahead of n3: .*; 1 node has the taint spot/);
});
test('why not there: the obstacle, or the score', t => {
  t.like(whyTask(PLACED, one.id, parseNodeId('n2')), { state: 'not on n2', reasons: [{ rule: 'taint spot' }], fix: { edit: { kind: 'field', path: 'services.web.placement.tolerate', value: '[spot]' } } });
  t.regex(sentences(whyService(PLACED, web.id, parseNodeId('n3'))), /n1 is ahead of n3/);
  t.is(whyService(PLACED, web.id, parseNodeId('n1'))?.state, 'on n1');
});
test('why pending: grouped by rule, with a fix', t => {
  const big = service({ replicas: 1, container: { requests: resources(9_000, 64) } });
  const state = snapshot({ nodes: NODES, services: [big], serviceStatuses: [serviceStatus(big, { pending: [{ slot: 0, reason: 'x' }] })] });
  t.like(whyService(state, big.id, undefined), { state: 'pending', reasons: [{ rule: 'cpu', nodes: ['n1', 'n3'] }, { rule: 'taint spot', nodes: ['n2'] }], fix: { edit: { path: 'services.web.resources.requests.cpus', value: '4' } } });
});
test('why restarted, why ended', t => {
  const crashed = task(web, 'n1', { id: taskId('tz') });
  const state = snapshot({ nodes: NODES, services: [web], serviceStatuses: [serviceStatus(web)], tasks: [crashed], statuses: [failed(crashed)] });
  t.regex(sentences(whyTask(state, crashed.id, undefined)), /restarted 4 times; attempt 5 ended: exited, code 1; exited with 1/);
});
test('why rolled back, why it waits', t => {
  const rollout = { state: 'rolled_back', reason: 'revision 2 rolled back to 1: web-0: failed', revision: 2, startedAtMs: T0 } as const;
  const loops = [{ slot: 0, failures: 2, notBeforeMs: T0, task: one.id }];
  const state = snapshot({ nodes: NODES, services: [web], serviceStatuses: [serviceStatus(web, { rollout, crashLoops: loops })] });
  const answer = whyService(state, web.id, undefined);
  t.is(answer?.state, 'rolled_back');
  t.regex(sentences(answer), /revision 2 is rolled_back: .*slot 0 failed 2 times/);
});
test('why lists 20 crash loops and counts the others', t => {
  const crashLoops = Array.from({ length: 25 }, (_, slot) => ({ slot, failures: 1, notBeforeMs: T0, task: one.id }));
  const state = snapshot({ nodes: NODES, services: [web], serviceStatuses: [serviceStatus(web, { crashLoops })] });
  const reasons = (whyService(state, web.id, undefined)?.reasons ?? []).filter(({ rule }) => rule === 'crash-loop');
  t.deepEqual([reasons.length, reasons.at(-1)?.sentence], [21, '5 more slots failed likewise']);
});
test('why ended: a service that is not restarted, and a job without attempts left, say so', t => {
  const once = service({ replicas: 1, container: { restart: { mode: 'never', maxAttempts: 1, delayMs: 100, windowMs: 0 } } });
  const killed = task(once, 'n1');
  const oom = failed(killed, { restarts: 0, attempt: 1, reason: 'OOMKilled', message: '', lastExit: { attempt: 1, code: 137, reason: 'OOMKilled', finishedAtMs: T0 } });
  const loops = [{ slot: 0, failures: 1, notBeforeMs: T0 + 10_000, task: killed.id }];
  const answer = whyService(snapshot({ nodes: NODES, services: [once], serviceStatuses: [serviceStatus(once, { crashLoops: loops })], tasks: [killed], statuses: [oom] }), once.id, undefined);
  t.is(answer?.state, 'failed');
  t.regex(sentences(answer), /^slot 0 failed once, .*; no other follows; task \S+ ended failed on n1: OOMKilled, code 137; restart: never starts no other$/);
  const job = service({ name: 'job', kind: 'job', replicas: 1, job: { retries: 0 } });
  const tried = task(job, 'n1', { id: taskId('jj') });
  const rollout = { state: 'failed', reason: 'job failed: 1 attempts used up', revision: 1, startedAtMs: T0 } as const;
  const spent = whyService(snapshot({ nodes: NODES, services: [job], serviceStatuses: [serviceStatus(job, { rollout, settledRevision: 0, crashLoops: [{ ...loops[0]!, task: tried.id }] })], tasks: [tried], statuses: [failed(tried)] }), job.id, undefined);
  t.is(spent?.state, 'failed');
  t.regex(sentences(spent), /slot 0 failed once, .*; its attempts are used up/);
  t.notRegex(sentences(spent), /waits until/);
  const complete = whyService(snapshot({ nodes: NODES, services: [once], serviceStatuses: [serviceStatus(once)], tasks: [killed], statuses: [status(killed, { phase: 'complete' })] }), once.id, undefined);
  t.is(complete?.state, 'complete');
});
test('why preempted: the service that needs the room, and its priority', t => {
  const urgent = service({ name: 'db', placement: { priority: 7 } });
  const reason = preemptedReason(urgent);
  const stopping = task(web, 'n1', { desired: 'stop', reason });
  t.regex(sentences(whyTask(snapshot({ nodes: NODES, tasks: [stopping], statuses: [status(stopping)] }), stopping.id, undefined)), /^to stop because service\/default\/shop\/db, which has priority 7, needs its room/);
  const next = task(web, 'n1', { reason });
  t.regex(sentences(whyTask(snapshot({ nodes: NODES, tasks: [next] }), next.id, undefined)), /^made because the task before it made room for service\/default\/shop\/db, which has priority 7/);
});
test('why to stop; a task of a lost node; one that is not there', t => {
  const stopping = task(web, 'n1', { desired: 'stop', reason: 'scale-down' });
  t.regex(sentences(whyTask(snapshot({ nodes: NODES, tasks: [stopping], statuses: [status(stopping)] }), stopping.id, undefined)), /to stop because the service wants fewer tasks/);
  t.is(whyTask(snapshot({ nodes: [node('n1', { condition: 'lost' })], tasks: [one] }), one.id, undefined)?.state, 'lost');
  t.deepEqual([whyTask(PLACED, taskId('zz'), undefined), whyService(snapshot(), web.id, undefined)], [undefined, undefined]);
});
test('why not there: the quota of the namespace, and room that is being made for another', t => {
  const urgent = service({ name: 'db', placement: { priority: 7 }, container: { requests: resources(3_980, 64) } });
  const held = snapshot({ nodes: [node('n1')], services: [web, urgent], serviceStatuses: [serviceStatus(urgent, { pending: [{ slot: 0, reason: '', node: parseNodeId('n1') }] })] });
  const answer = whyService(held, web.id, parseNodeId('n1'));
  t.like(answer, { reasons: [{ rule: 'room for default/shop/db' }], fix: { edit: { path: 'services.web.placement.priority', value: '8' } } });
  const value = { name: 'default', profile: 'baseline', bindPrefixes: [], quota: { tasks: 0, devices: [] }, createdAtMs: T0, updatedAtMs: T0 } as const;
  const spent = { ...snapshot({ nodes: [node('n1')], services: [web] }), namespaces: new Map([['default', { value, createRevision: 1, modRevision: 1 }]]) };
  t.like(whyService(spent, web.id, parseNodeId('n1')), { reasons: [{ rule: 'quota tasks', have: '0', need: '1' }], fix: { edit: { path: 'namespaces.default.quota', value: 'tasks=1' } } });
});
test('why so many replicas, and why they are not decided anew', t => {
  const scaling = service({ replicas: 1, autoscale: { min: 1, max: 9, cpuPercent: 50, stabilizationMs: 0, upStabilizationMs: 0 } });
  const autoscale = { replicas: 4, changedAtMs: T0, reason: 'cpu is 120% of what is requested, 50% is aimed at', wishes: [], problem: 'its cpu is not known: NATS is away' };
  const answer = whyService(snapshot({ nodes: NODES, services: [scaling], serviceStatuses: [serviceStatus(scaling, { autoscale })] }), scaling.id, undefined);
  t.is(sentences(answer), 'wants 4 of 1 to 9 replicas: cpu is 120% of what is requested, 50% is aimed at; is not scaled down: its cpu is not known: NATS is away');
  const fresh = whyService(snapshot({ nodes: NODES, services: [scaling], serviceStatuses: [serviceStatus(scaling)] }), scaling.id, undefined);
  t.is(sentences(fresh), 'wants 1 of 1 to 9 replicas: it was not measured yet');
});

test('why here: its data is here', t => {
  const db = service({ name: 'db', replicas: 1, volumes: [{ name: 'data', perReplica: false }], container: { volumes: [{ kind: 'volume', source: 'data', target: '/d', readOnly: false }] } });
  const here = task(db, 'n3');
  t.regex(sentences(whyTask(snapshot({ nodes: NODES, services: [db], tasks: [here], volumes: [volume('n3')] }), here.id, undefined)), /its volume default\/data is on n3; .*1 node is not n3, which has the data of volume default\/data/);
});
test('why pending: the node with the data is held back, or has old data to delete first', t => {
  const db = service({ name: 'db', replicas: 1, volumes: [{ name: 'data', perReplica: false }], container: { volumes: [{ kind: 'volume', source: 'data', target: '/d', readOnly: false }] } });
  const waiting = (of: Parameters<typeof snapshot>[0]) => whyService(snapshot({ services: [db], serviceStatuses: [serviceStatus(db, { pending: [{ slot: 0, reason: 'x' }] })], ...of }), db.id, undefined);
  const cordoned = waiting({ nodes: [node('n1', { availability: 'cordoned' }), node('n2')], volumes: [volume('n1')] });
  t.regex(sentences(cordoned), /1 node is cordoned; 1 node is not n1, which has the data of volume default\/data/);
  t.like(cordoned, { fix: { edit: { kind: 'node', node: 'n1' } } });
  t.regex(sentences(waiting({ nodes: [node('n1')], volumes: [volume('n1', { state: 'removing' })] })), /1 node has to delete the data of volume default\/data first, which was given up/);
});
