import test from 'ava';
import { nextRollout, rolloutFailure, settledService } from '../../../../controller/reconcile/rollout-plan.ts';
import type { RolloutFacts } from '../../../../controller/reconcile/rollout-plan.ts';
import type { ServiceStatus } from '#model/app.ts';
import { templateHash } from '../../../../controller/api/revision.ts';
import { DEFAULT_TIMES } from '#model/times.ts';
import { T0, failed, node, revisionWith, service, serviceStatus, status, task } from '../../../support/builders.ts';

const web = service({ revision: 2, templateHash: 'hash-2' });
const before = service();
const made = task(web, 'n1');
const rows = [{ task: made, status: status(made), node: node('n1') }];
const facts: RolloutFacts = { isConverged: false, waiting: undefined, failure: undefined, stuck: undefined };
const settled = serviceStatus(before);
const step = (known: ServiceStatus | undefined, some: Partial<RolloutFacts>, nowMs = T0) => nextRollout({ service: web, rows, ...(known === undefined ? {} : { status: known }) }, { ...facts, ...some }, { nowMs, times: DEFAULT_TIMES });

const states = test.macro({
  exec(t, some: Partial<RolloutFacts>, state: string, reason: string) {
    t.deepEqual(step(settled, some).rollout, { state, reason, revision: 2, startedAtMs: T0 } as ServiceStatus['rollout']);
  },
  title: (name = '') => `nextRollout: ${name}`,
});
test('on its way', states, {}, 'progressing', '');
test('stuck, and why', states, { stuck: 'slot 0: no node fits' }, 'progressing', 'slot 0: no node fits');
test('waiting for a dependency', states, { waiting: 'waits for db to be healthy', stuck: 'x' }, 'waiting', 'waits for db to be healthy');
test('failed', states, { failure: 'web-0: crash-loop', waiting: 'x' }, 'failed', 'web-0: crash-loop');

test('the start of a rollout is remembered', t => {
  const { rollout } = step(settled, {});
  t.is(step({ ...settled, rollout }, {}, T0 + 5_000).rollout.startedAtMs, T0);
});
test('a settled Revision that heals is on its way, not failed', t => {
  const healing = nextRollout({ service: before, rows: [], status: settled }, { ...facts, failure: 'web-0: crash-loop' }, { nowMs: T0, times: DEFAULT_TIMES });
  t.like(healing.rollout, { state: 'progressing', reason: 'web-0: crash-loop' });
});
test('a healthy Revision is watched, then settled', t => {
  const watched = step(settled, { isConverged: true });
  t.like(watched, { settledRevision: 1, wakeAtMs: T0 + 30_000, rollout: { state: 'progressing', healthySinceMs: T0 } });
  t.like(step({ ...settled, rollout: watched.rollout }, { isConverged: true }, T0 + 30_000), { settledRevision: 2, rollout: { state: 'settled' } });
});
test('one that stopped being healthy is watched anew', t => {
  const watched = step(settled, { isConverged: true });
  const broken = step({ ...settled, rollout: watched.rollout }, {}, T0 + 10_000);
  t.is(step({ ...settled, rollout: broken.rollout }, { isConverged: true }, T0 + 20_000).wakeAtMs, T0 + 50_000);
});
test('H2: a clock that was set back does not stretch the watch', t => {
  const rollout = { ...settled.rollout, revision: 2, healthySinceMs: T0 + 3_600_000 };
  t.is(step({ ...settled, rollout }, { isConverged: true }).wakeAtMs, T0 + 30_000);
});
test('the first Revision without a health check is watched for 2 s; a job and one without a task are not', t => {
  t.like(step(undefined, { isConverged: true }), { settledRevision: 0, wakeAtMs: T0 + 2_000, rollout: { state: 'progressing' } });
  const job = service({ kind: 'job', revision: 2, templateHash: 'hash-2' });
  t.like(nextRollout({ service: job, rows }, { ...facts, isConverged: true }, { nowMs: T0, times: DEFAULT_TIMES }), { settledRevision: 2, rollout: { state: 'settled' } });
  t.like(nextRollout({ service: web, rows: [] }, { ...facts, isConverged: true }, { nowMs: T0, times: DEFAULT_TIMES }), { settledRevision: 2, rollout: { state: 'settled' } });
});
test('rolled back stays said until the next Revision', t => {
  const rollout = { state: 'rolled_back', reason: 'r', revision: 2, startedAtMs: T0 } as const;
  t.is(nextRollout({ service: before, rows: [], status: { ...settled, rollout } }, { ...facts, isConverged: true }, { nowMs: T0, times: DEFAULT_TIMES }).rollout, rollout);
  t.is(nextRollout({ service: service({ revision: 3 }), rows: [], status: { ...settled, rollout } }, facts, { nowMs: T0, times: DEFAULT_TIMES }).rollout.state, 'progressing');
});

const context = { nowMs: T0, clusterId: 'c', times: DEFAULT_TIMES, awayForMs: () => 0, revisionOf: () => revisionWith(before) };
test('the service to go back to has the settled spec and its hash', t => {
  t.like(settledService({ service: web, rows, status: settled }, context), { revision: 1, templateHash: templateHash(before.spec, before.pins, before.volumes, 0), virtualIp: web.virtualIp });
});
test('there is none before a first Revision, for the settled one, for a job, and where the Revision is not known', t => {
  t.is(settledService({ service: web, rows }, context), undefined);
  t.is(settledService({ service: before, rows, status: settled }, context), undefined);
  t.is(settledService({ service: service({ kind: 'job', revision: 2 }), rows, status: settled }, context), undefined);
  t.is(settledService({ service: web, rows, status: settled }, { ...context, revisionOf: () => undefined }), undefined);
});

test('failing: failed unasked, unhealthy, or in a crash loop; of this Revision alone', t => {
  const failure = (options: Parameters<typeof status>[1], of = made) => rolloutFailure({ service: web, rows: [{ task: of, status: status(of, options), node: node('n1') }] });
  t.is(failure({}), undefined);
  t.is(failure({ health: 'unhealthy' }), `${made.name}: unhealthy`);
  t.is(failure({ reason: 'crash-loop', phase: 'starting' }), `${made.name}: crash-loop`);
  t.is(failure(failed(made)), `${made.name}: crash-loop: exited with 1`);
  t.is(failure(failed(made), { ...made, desired: 'stop' }), undefined);
  t.is(failure(failed(made), { ...made, templateHash: 'old' }), undefined);
});
