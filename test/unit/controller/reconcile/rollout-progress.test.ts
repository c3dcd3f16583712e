import test from 'ava';
import type { ServiceStatus } from '#model/app.ts';
import { DEFAULT_TIMES } from '#model/times.ts';
import { planService } from '../../../../controller/reconcile/service-plan.ts';
import { deadlineAtMs, deadlineFailure, nextProgress } from '../../../../controller/reconcile/rollout-progress.ts';
import type { PlanContext } from '../../../../controller/reconcile/plan-context.ts';
import { node, resources, revisionWith, service, serviceStatus, snapshot, status, T0, task, taskId } from '../../../support/builders.ts';

const DEADLINE_MS = 60_000;
const before = service();
const web = service({ revision: 2, templateHash: 'hash-2', update: { progressDeadlineMs: DEADLINE_MS } });
const CONTEXT: PlanContext = { nowMs: T0, clusterId: 'c', times: DEFAULT_TIMES, awayForMs: () => 0, revisionOf: (_, number) => (number === 1 ? revisionWith(before) : undefined) };
const n1 = node('n1');
/** So many slots served by the new Revision, one of which is on its way. */
const rows = (served: number) => [0, 1, 2].map(slot => {
  const made = task(web, n1, { slot, id: taskId(`n${'abc'[slot] ?? ''}`), revision: 2, templateHash: 'hash-2' });
  return { task: made, status: status(made, slot < served ? {} : { phase: 'pulling' }), node: n1 };
});
const rollout = (more: Partial<ServiceStatus['rollout']> = {}): ServiceStatus['rollout'] => ({ state: 'progressing', reason: 'web-1: pulling', revision: 2, startedAtMs: T0, ...more });
const state = (served: number, more: Partial<ServiceStatus['rollout']> = {}, of = web) => ({ service: of, rows: rows(served), status: serviceStatus(before, { rollout: rollout(more) }) });
const at = (nowMs: number): PlanContext => ({ ...CONTEXT, nowMs });

test('progress is counted from the first look, and anew with each slot more', t => {
  t.deepEqual(nextProgress(state(0), rollout(), T0 + 1), { reached: 0, sinceMs: T0 + 1 });
  const progress = { reached: 1, sinceMs: T0 };
  t.deepEqual(nextProgress(state(1, { progress }), rollout(), T0 + 9), progress);
  t.deepEqual(nextProgress(state(2, { progress }), rollout(), T0 + 9), { reached: 2, sinceMs: T0 + 9 });
});

test('a slot that is lost again is no progress when it is back', t => {
  const progress = { reached: 2, sinceMs: T0 };
  t.deepEqual(nextProgress(state(1, { progress }), rollout(), T0 + 9), progress);
  t.deepEqual(nextProgress(state(2, { progress }), rollout(), T0 + 9), progress);
});

test('what is paused, waits, is watched or waits for promotion has no clock that runs', t => {
  const progress = { reached: 1, sinceMs: T0 };
  for (const next of [rollout({ state: 'paused' }), rollout({ state: 'waiting' }), rollout({ state: 'awaiting_promotion' }), rollout({ state: 'settled' }), rollout({ healthySinceMs: T0 })]) {
    t.is(nextProgress(state(1, { progress }), next, T0 + 9), undefined, next.state);
  }
});

test('without a deadline, and once settled, nothing is counted', t => {
  t.is(nextProgress(state(0, {}, service({ revision: 2, templateHash: 'hash-2' })), rollout(), T0), undefined);
  t.is(nextProgress({ ...state(0), status: serviceStatus(web) }, rollout(), T0), undefined);
});

test('a clock that was set back does not stretch the deadline', t => {
  t.is(nextProgress(state(0, { progress: { reached: 0, sinceMs: T0 + 3_600_000 } }), rollout(), T0)?.sinceMs, T0);
});

test('it fails at the deadline, and says what it was stuck at', t => {
  const progress = { reached: 1, sinceMs: T0 };
  t.is(deadlineFailure(state(1, { progress }), at(T0 + DEADLINE_MS - 1)), undefined);
  t.is(deadlineFailure(state(1, { progress }), at(T0 + DEADLINE_MS)), 'no progress for 1m: web-1: pulling');
  t.is(deadlineFailure(state(1, { progress, reason: '' }), at(T0 + DEADLINE_MS)), 'no progress for 1m');
});

test('a failure stays as it was told until there is progress', t => {
  const progress = { reached: 1, sinceMs: T0 };
  const told = { progress, state: 'failed', reason: 'no progress for 1m: no node fits' } as const;
  t.is(deadlineFailure(state(1, told), at(T0 + 9 * DEADLINE_MS)), told.reason);
  t.is(deadlineFailure(state(2, told), at(T0 + 9 * DEADLINE_MS)), undefined);
});

test('a pause, another Revision, a settled one and a plan on paper do not fail', t => {
  const progress = { reached: 1, sinceMs: T0 };
  const late = at(T0 + 9 * DEADLINE_MS);
  const paused = { ...web, rollout: { isPaused: true, promotedSteps: 0, isAborted: false } };
  t.is(deadlineFailure(state(1, { progress }, paused), late), undefined);
  t.is(deadlineFailure(state(1, { progress, revision: 1 }), late), undefined);
  t.is(deadlineFailure({ ...state(1, { progress }), status: serviceStatus(web, { rollout: rollout({ progress }) }) }, late), undefined);
  t.is(deadlineFailure(state(1, { progress }), { ...late, ignoresDeadlines: true }), undefined);
});

test('a clock that jumped forward, or a leader that has just begun, does not shorten it; what failed stays so', t => {
  const late = { ...at(T0 + 60 * DEADLINE_MS), steadySinceMs: T0 + 59 * DEADLINE_MS + 1 };
  const progress = { reached: 1, sinceMs: T0 };
  t.is(deadlineFailure(state(1, { progress }), late), undefined);
  t.is(deadlineAtMs({ service: web, status: serviceStatus(before, { rollout: rollout({ progress }) }) }, late), T0 + 60 * DEADLINE_MS + 1);
  t.is(deadlineFailure(state(1, { progress }), { ...late, nowMs: late.nowMs + 1 }), 'no progress for 1m: web-1: pulling');
  const told = { progress, state: 'failed', reason: 'no progress for 1m: web-1: pulling' } as const;
  t.is(deadlineFailure(state(1, told), late), told.reason);
});

test('it is looked at again at the deadline', t => {
  const value = serviceStatus(before, { rollout: rollout({ progress: { reached: 0, sinceMs: T0 } }) });
  t.is(deadlineAtMs({ service: web, status: value }, at(T0 + 1)), T0 + DEADLINE_MS);
  t.is(deadlineAtMs({ service: web, status: value }, at(T0 + DEADLINE_MS)), undefined);
  t.is(deadlineAtMs({ service: web, status: value }, { ...at(T0), ignoresDeadlines: true }), undefined);
  t.is(deadlineAtMs({ service: web, status: serviceStatus(before) }, at(T0)), undefined);
});

const old = [0, 1, 2].map(slot => task(before, n1, { slot }));

/** Of three replicas whose new ones fit nowhere, planned again at each of these times. */
function stuck(onFailure: 'rollback' | 'pause', times: readonly number[]) {
  const big = service({ revision: 2, templateHash: 'hash-2', update: { progressDeadlineMs: DEADLINE_MS, onFailure }, container: { requests: resources(99_000, 64) } });
  let known = serviceStatus(before);
  return times.map(nowMs => {
    const plan = planService(snapshot({ services: [big], nodes: [n1], tasks: old, serviceStatuses: [known] }), big.id, at(nowMs));
    const written = plan.actions.find(action => action.kind === 'set-service-status');
    known = written?.status ?? known;
    return { kinds: plan.actions.map(action => action.kind), rollout: known.rollout, wakeAtMs: plan.wakeAtMs };
  });
}

test('a rollout that fits nowhere goes back at its deadline, with the reason', t => {
  const [first, second, third] = stuck('rollback', [T0, T0 + DEADLINE_MS - 1, T0 + DEADLINE_MS]);
  t.like(first, { wakeAtMs: T0 + DEADLINE_MS, rollout: { state: 'progressing', progress: { reached: 0, sinceMs: T0 } } });
  t.like(second, { kinds: [] });
  t.deepEqual(third?.kinds, ['rollback-service', 'set-service-status']);
  t.regex(third?.rollout.reason ?? '', /^revision 2 rolled back to 1: no progress for 1m: slot 0: no node fits/);
});

test('or stays as it is, failed, where that is asked for; planned again it does nothing', t => {
  const [, failed, again] = stuck('pause', [T0, T0 + DEADLINE_MS, T0 + 2 * DEADLINE_MS]);
  t.like(failed?.rollout, { state: 'failed' });
  t.regex(failed?.rollout.reason ?? '', /^no progress for 1m: slot 0: no node fits/);
  t.deepEqual(again?.kinds, []);
});
