import test from 'ava';
import { PaperCluster } from '../../../../controller/reconcile/paper-cluster.ts';
import { app, node, service, serviceStatus, snapshot, status, T0, task } from '../../../support/builders.ts';

const web = service();
const one = task(web, 'n1');
const state = snapshot({ nodes: [node('n1')], services: [web], serviceStatuses: [serviceStatus(web)], tasks: [one] });

test('writes go on paper alone, and are told as the mirror tells them', t => {
  const paper = new PaperCluster(state);
  const other = task(web, 'n1', { slot: 1 });
  t.like(paper.apply({ kind: 'create-task', task: other, reason: '' }), { kinds: new Set(['task']), services: new Set([web.id]), nodes: new Set(['n1']) });
  t.deepEqual([...paper.snapshot.tasksOfService.get(web.id) ?? []], [one.id, other.id].sort());
  t.like(paper.apply({ kind: 'stop-task', taskId: one.id, reason: 'drain' }), { services: new Set([web.id]) });
  t.like(paper.snapshot.tasks.get(one.id)?.value, { desired: 'stop', reason: 'drain' });
  paper.apply({ kind: 'remove-task', taskId: one.id, reason: '' });
  t.false(paper.snapshot.tasks.has(one.id));
  t.deepEqual([state.tasks.size, state.tasksOfService.get(web.id)?.size, state.tasks.get(one.id)?.value.desired], [1, 1, 'run']);
});
test('each kind of action is taken', t => {
  const paper = new PaperCluster(state);
  paper.apply({ kind: 'set-node-condition', node: one.node, condition: 'lost', reason: '' });
  t.is(paper.snapshot.nodes.get(one.node)?.value.condition, 'lost');
  t.deepEqual(paper.taskEvents(T0), [], 'nothing is heard of a lost node');
  paper.apply({ kind: 'rollback-service', service: { ...web, revision: 7 }, reason: '' });
  t.is(paper.snapshot.services.get(web.id)?.value.revision, 7);
  paper.apply({ kind: 'delete-app', appId: app().id, reason: '' });
  t.true(paper.snapshot.services.get(web.id)?.value.isDeleting);
  paper.apply({ kind: 'remove-service', serviceId: web.id, reason: '' });
  paper.apply({ kind: 'remove-app', appId: app().id, reason: '' });
  paper.apply({ kind: 'set-mass-breaker', isOpen: true, reason: '' });
  t.deepEqual([paper.snapshot.services.size, paper.snapshot.apps.size, paper.snapshot.serviceStatuses.size], [0, 0, 0]);
});
test('what agents would say next: wanted tasks run, jobs complete, others end', t => {
  const job = service({ name: 'report', kind: 'job' });
  const stopping = task(web, 'n1', { slot: 1, desired: 'stop' });
  const works = task(job, 'n1', { slot: 2 });
  const paper = new PaperCluster(snapshot({ nodes: [node('n1')], tasks: [one, stopping, works], statuses: [status(stopping), status(works)] }));
  t.deepEqual(new Map(paper.taskEvents(T0).map(event => [event.id, event.phase])), new Map([[one.id, 'running'], [stopping.id, 'complete'], [works.id, 'complete']]));
  paper.taskEvents(T0).forEach(event => paper.report(event));
  t.deepEqual(paper.taskEvents(T0), []);
});
