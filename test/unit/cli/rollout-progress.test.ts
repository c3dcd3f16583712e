import test from 'ava';
import { judgeProgress } from '../../../cli/rollout-progress.ts';
import { service } from '../../support/builders.ts';
import { clusterView, serviceView, taskView, WEB } from '../../support/cluster-view.ts';

const AWAITED = { namespace: 'default', app: 'shop', revision: 1 };
const FULL = { running: 3, healthy: 3, wanted: 3 };
const judge = (...services: readonly ReturnType<typeof serviceView>[]): string => judgeProgress(AWAITED, clusterView({ services })).kind;

test('settled and healthy is done', t => {
  t.is(judge(serviceView(WEB, FULL)), 'done');
  t.is(judge(serviceView(WEB, { ...FULL, healthy: 2 })), 'waiting');
  t.is(judge(serviceView(WEB, FULL, 'progressing')), 'waiting');
});

test('one that failed or was rolled back is a failure, whatever the others do', t => {
  t.is(judge(serviceView(WEB, FULL), serviceView(service({ name: 'api' }), FULL, 'rolled_back', 'x')), 'failed');
  t.is(judge(serviceView(WEB, FULL, 'failed')), 'failed');
});

test('a failure of an older Revision says nothing of this one', t => {
  const old = serviceView(WEB, FULL, 'rolled_back');
  t.is(judge({ ...old, service: { ...old.service, revision: 2 } }), 'waiting');
});

test('after a rollback: what was asked for is in force again, or it is what was rolled back', t => {
  const back = serviceView(WEB, FULL, 'rolled_back', 'x');
  const rolledBack = { ...back, status: { ...back.status!, rollout: { ...back.status!.rollout, revision: 2 } } };
  const judged = (revision: number, counts = FULL): string => {
    const view = clusterView({ apps: clusterView().apps.map(app => ({ ...app, revision: 2 })), services: [{ ...rolledBack, ...counts }] });
    return judgeProgress({ ...AWAITED, revision: 2, services: [{ name: 'web', revision }] }, view).kind;
  };
  t.is(judged(1), 'done');
  t.is(judged(1, { ...FULL, healthy: 2 }), 'waiting');
  t.is(judged(2), 'failed');
});

test('a view from before the apply says nothing', t => {
  t.is(judgeProgress({ ...AWAITED, revision: 2 }, clusterView()).kind, 'waiting');
  t.is(judgeProgress(AWAITED, clusterView({ apps: [] })).kind, 'waiting');
});

test('a job is done when its tasks are complete', t => {
  const job = service({ name: 'job', kind: 'job', replicas: 1 });
  const view = (phase: 'running' | 'complete') => clusterView({ services: [serviceView(job, { running: 0, healthy: 0, wanted: 1 }, 'progressing')], tasks: [taskView(job, 0, 'n1', { phase })] });
  t.is(judgeProgress(AWAITED, view('running')).kind, 'waiting');
  t.is(judgeProgress(AWAITED, view('complete')).kind, 'done');
});

test('a job whose tasks are forgotten is done; the runs of a cron are not waited for', t => {
  const job = service({ name: 'job', kind: 'job', replicas: 2 });
  t.is(judge(serviceView(job, { running: 0, healthy: 0, wanted: 2 })), 'done');
  const run = { ...job, cronRun: { cron: 'report', scheduledAtMs: 0, isManual: false } };
  t.is(judge(serviceView(service({ name: 'report', kind: 'cron' }), { running: 0, healthy: 0, wanted: 0 }), serviceView(run, { running: 1, healthy: 1, wanted: 2 }, 'failed')), 'done');
});

test('the line says what is in the way', t => {
  const waiting = serviceView(WEB, { ...FULL, healthy: 0 }, 'progressing');
  const tasks = [taskView(WEB, 0, 'n1', { phase: 'pulling', reason: 'ImagePullFailed', message: 'not found' })];
  t.deepEqual(judgeProgress(AWAITED, clusterView({ services: [waiting], tasks })).lines, ['shop/web: 0/3 healthy (web-0-webaa: ImagePullFailed: not found)']);
});

test('while old and new tasks serve, the new ones are counted apart', t => {
  const next = { ...WEB, revision: 2 };
  const tasks = [taskView(WEB, 0, 'n1'), taskView(WEB, 1, 'n1'), taskView(next, 2, 'n1')];
  const line = (...shown: typeof tasks) => judgeProgress(AWAITED, clusterView({ services: [serviceView(next, FULL, 'progressing')], tasks: shown })).lines;
  t.deepEqual(line(...tasks), ['shop/web: 1/3 updated, 3/3 healthy']);
  t.deepEqual(line(taskView(WEB, 0, 'n1'), taskView(next, 2, 'n1', { health: 'starting' })), ['shop/web: 0/3 updated, 3/3 healthy']);
  t.deepEqual(line(taskView(next, 0, 'n1'), taskView(next, 1, 'n1')), ['shop/web: 3/3 healthy']);
  t.deepEqual(line(taskView(WEB, 0, 'n1'), taskView(WEB, 1, 'n1')), ['shop/web: 3/3 healthy']);
});

test('what goes on only when somebody says so is not waited for', t => {
  const waits = serviceView(WEB, FULL);
  t.is(judge({ ...waits, status: { ...waits.status!, rollout: { ...waits.status!.rollout, state: 'awaiting_promotion', reason: 'step 1' } } }), 'done');
  t.is(judge({ ...waits, status: { ...waits.status!, rollout: { ...waits.status!.rollout, state: 'paused' } } }), 'done');
});
