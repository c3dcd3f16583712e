import test from 'ava';
import { planApp } from '../../../../controller/reconcile/app-plan.ts';
import { T0, app, node, service, serviceStatus, snapshot, status, task, volume } from '../../../support/builders.ts';
import type { SnapshotOptions } from '../../../support/builders.ts';

const job = service({ name: 'once', app: 'run-1', kind: 'job' });
const one = task(job, 'n1');
const run = app('run-1', { expireAfterEndMs: 3_600_000 });
const ended = [status(one, { phase: 'complete', finishedAtMs: T0 + 5_000 })];
const END = T0 + 3_605_000;
const plans = test.macro({
  exec(t, state: SnapshotOptions, nowMs: number, kinds: readonly string[], wakeAtMs?: number) {
    const plan = planApp(snapshot({ nodes: [node('n1')], services: [job], tasks: [one], serviceStatuses: [serviceStatus(job)], ...state }), run.id, nowMs);
    t.deepEqual(plan.actions.map(action => action.kind), kinds);
    t.is(plan.wakeAtMs, wakeAtMs);
  },
  title: (name = '') => `planApp: ${name}`,
});
test('deleted with services: waits', plans, { apps: [app('run-1', { isDeleting: true })] }, T0, []);
test('deleted and empty: goes', plans, { apps: [app('run-1', { isDeleting: true })], services: [] }, T0, ['remove-app']);
test('run: while its task runs', plans, { apps: [run] }, END, []);
test('run: ended, not an hour ago', plans, { apps: [run], statuses: ended }, END - 1, [], END);
test('run: an hour after its end', plans, { apps: [run], statuses: ended }, END, ['delete-app']);
test('run: a failed job with retries left', plans, { apps: [run], statuses: ended, serviceStatuses: [serviceStatus(job, { rollout: { state: 'progressing', reason: '', revision: 1, startedAtMs: T0 } })] }, END, []);
test('other Apps never expire', plans, { apps: [app('run-1')], statuses: ended }, END, []);

const data = [{ kind: 'volume', source: 'data', target: '/data', readOnly: false }] as const;
const gone = app('run-1', { isDeleting: true, deletesVolumes: true });
test('deleted with its volumes: they are given up at once, and it goes after', plans, { apps: [gone], services: [], volumes: [volume('n1', { app: 'run-1' }), volume('n2', { app: 'shop', name: 'other' })] }, T0, ['put-volume']);
test('deleted with its volumes, which are given up already', plans, { apps: [gone], services: [], volumes: [volume('n1', { app: 'run-1', state: 'removing' })] }, T0, ['remove-app']);
test('deleted without its volumes', plans, { apps: [app('run-1', { isDeleting: true })], services: [], volumes: [volume('n1', { app: 'run-1' })] }, T0, ['remove-app']);
test('a volume that a service of another App mounts stays', plans, { apps: [gone], services: [service({ app: 'side', container: { volumes: data } })], volumes: [volume('n1', { app: 'run-1' })] }, T0, ['remove-app']);
