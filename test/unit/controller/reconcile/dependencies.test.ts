import test from 'ava';
import { unmetDependency } from '../../../../controller/reconcile/dependencies.ts';
import type { Dependency } from '#model/service.ts';
import type { Task, TaskStatus } from '#model/task.ts';
import { failed, node, service, serviceStatus, snapshot, status, task } from '../../../support/builders.ts';

const db = service({ name: 'db' });
const job = service({ name: 'db', kind: 'job', replicas: 2 });
const d0 = task(db, 'n1');
const [j0, j1] = [task(job, 'n1'), task(job, 'n1', { slot: 1 })] as const;

const waits = test.macro({
  exec(t, condition: Dependency['condition'], target: readonly [typeof db] | readonly [], tasks: readonly Task[], statuses: readonly TaskStatus[], expected: string | undefined) {
    const web = service({ dependsOn: [{ service: 'db', condition }] });
    t.is(unmetDependency(snapshot({ services: [web, ...target], nodes: [node('n1')], tasks, statuses }), web), expected);
  },
  title: (name = '') => `unmetDependency: ${name}`,
});
test('a service that is not there', waits, 'service_started', [], [], [], 'waits for db, which is not there');
test('no task yet', waits, 'service_started', [db], [], [], 'waits for db to be started');
const { startedAtMs: _, ...pulling } = status(d0, { phase: 'pulling' });
test('a task that did not start', waits, 'service_started', [db], [d0], [pulling], 'waits for db to be started');
test('one that did', waits, 'service_started', [db], [d0], [status(d0, { health: 'starting' })], undefined);
test('started, but not healthy', waits, 'service_healthy', [db], [d0], [status(d0, { health: 'starting' })], 'waits for db to be healthy');
test('healthy', waits, 'service_healthy', [db], [d0], [status(d0, { health: 'healthy' })], undefined);
test('a healthy task of the old template', waits, 'service_healthy', [db], [{ ...d0, templateHash: 'old' }], [status(d0)], 'waits for db to be healthy');
const complete = (of: Task) => status(of, { phase: 'complete' });
test('one of two slots complete', waits, 'service_completed_successfully', [job], [j0, j1], [complete(j0), failed(j1)], 'waits for db to be complete');
test('all slots complete', waits, 'service_completed_successfully', [job], [j0, j1], [complete(j0), complete(j1)], undefined);
test('a job that is over, though its tasks are forgotten', t => {
  const web = service({ dependsOn: [{ service: 'db', condition: 'service_completed_successfully' }] });
  const after = (completions: number) => unmetDependency(snapshot({
    services: [web, job], serviceStatuses: [serviceStatus(job, { job: { templateHash: job.templateHash, completions, endedAtMs: 0 } })],
  }), web);
  t.deepEqual([after(2), after(1)], [undefined, 'waits for db to be complete']);
});
