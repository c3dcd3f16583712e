import test from 'ava';
import type { TaskStatus } from '#model/task.ts';
import { parseReplicaAddress, servicesAt, tasksAt } from '../../../cli/replica-address.ts';
import { T0, taskId } from '../../support/builders.ts';
import { clusterView, taskView, WEB } from '../../support/cluster-view.ts';

function replica(id: string, createdAtMs: number, phase: TaskStatus['phase'], desired: 'run' | 'stop' = 'run'): ReturnType<typeof taskView> {
  const view = taskView(WEB, 0, 'n1', { phase });
  return { ...view, task: { ...view.task, id: taskId(id.padEnd(12, 'a')), desired, createdAtMs } };
}

test('services may have numbers and dashes in their names', t => {
  t.deepEqual(parseReplicaAddress('web-2-1'), { service: 'web-2', slot: 1 });
  t.deepEqual(parseReplicaAddress('prod/shop/web.12'), { namespace: 'prod', app: 'shop', service: 'web', slot: 12 });
  for (const text of ['web', 'web-', '-1', 'web-1x', 'a/b/c/web-1', 'shop/web']) {
    t.is(parseReplicaAddress(text), undefined, text);
  }
});

test('of the tasks of one slot the running one is meant, then the wanted one, then the newest', t => {
  const [old, running, next] = [replica('old', T0, 'failed', 'stop'), replica('run', T0 + 1, 'running', 'stop'), replica('next', T0 + 2, 'starting')];
  const meant = (...tasks: readonly ReturnType<typeof taskView>[]): readonly string[] => tasksAt({ service: 'web', slot: 0 }, tasks).map(({ task }) => task.id);
  t.deepEqual(meant(old, next, running), [running.task.id]);
  t.deepEqual(meant(old, next), [next.task.id]);
  t.deepEqual(meant(old, replica('older', T0 - 1, 'complete', 'stop')), [old.task.id]);
});

test('an address may mean replicas of several services', t => {
  const other = { ...replica('other', T0, 'running'), task: { ...replica('other', T0, 'running').task, app: 'blog', serviceId: 'default/blog/web' as typeof WEB.id } };
  t.is(tasksAt({ service: 'web', slot: 0 }, [replica('one', T0, 'running'), other]).length, 2);
  t.deepEqual(tasksAt({ app: 'blog', service: 'web', slot: 0 }, [replica('one', T0, 'running'), other]), [other]);
  t.is(servicesAt({ service: 'web', slot: 9 }, clusterView().services).length, 1);
});
