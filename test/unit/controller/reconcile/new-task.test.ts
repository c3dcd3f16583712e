import test from 'ava';
import { newTask } from '../../../../controller/reconcile/new-task.ts';
import { DEFAULT_TIMES } from '#model/times.ts';
import { T0, node, service, snapshot, task } from '../../../support/builders.ts';

const context = { nowMs: T0, clusterId: 'cluster', times: DEFAULT_TIMES, awayForMs: () => 0, revisionOf: () => undefined };
const web = service({
  volumes: [{ name: 'data', perReplica: false }, { name: 'other', perReplica: false }],
  container: { volumes: [{ kind: 'volume', source: 'data', target: '/d', readOnly: false }] },
});
const make = (slot: number, etcdRevision = 100, clusterId = 'cluster') => newTask(
  snapshot({ services: [web], etcdRevision }), { ...context, clusterId }, { service: web, slot, node: node('n1').id, reason: 'scale-up' },
);

test('the id is 12 characters of base32, the same for the same decision', t => {
  t.regex(make(0).id, /^[a-z2-7]{12}$/);
  t.is(make(0).id, make(0).id);
});
test('another slot, revision or cluster gives another id', t => {
  t.is(new Set([make(0), make(1), make(0, 101), make(0, 100, 'other')].map(one => one.id)).size, 4);
});
test('it carries what its container needs, and no other volume', t => {
  t.like(make(2), { name: `web-2-${make(2).id.slice(0, 5)}`, desired: 'run', fence: 100, createdAtMs: T0, templateHash: web.templateHash, container: web.spec.container });
  t.deepEqual(make(2).volumes.map(volume => volume.name), ['data']);
});
test('a job tells how long its task may run', t => {
  const job = service({ kind: 'job', job: { retries: 0, timeoutMs: 5_000 } });
  t.is(newTask(snapshot({ services: [job] }), context, { service: job, slot: 0, node: node('n1').id, reason: '' }).timeoutMs, 5_000);
  t.false('timeoutMs' in make(0));
});
test('an exclusive task tells when it stops itself', t => {
  const solo = service({ onDisconnect: { kind: 'exclusive', stopAfterMs: 30_000, replaceAfterMs: 70_000 } });
  t.is(newTask(snapshot({ services: [solo] }), context, { service: solo, slot: 0, node: node('n1').id, reason: '' }).stopAfterMs, 30_000);
  t.false('stopAfterMs' in make(0));
});
test('a stateful task has the name of its slot', t => {
  const db = service({ name: 'db', kind: 'stateful' });
  t.is(newTask(snapshot({ services: [db] }), context, { service: db, slot: 1, node: node('n1').id, reason: '' }).name, 'db-1');
});
test('the fence is above that of every earlier task of the slot, whatever the revision says', t => {
  const state = snapshot({ services: [web], tasks: [task(web, 'n1', { slot: 0, fence: 900 })], etcdRevision: 100 });
  t.is(newTask(state, context, { service: web, slot: 0, node: node('n1').id, reason: '' }).fence, 901);
  t.is(newTask(state, context, { service: web, slot: 1, node: node('n1').id, reason: '' }).fence, 100);
});
