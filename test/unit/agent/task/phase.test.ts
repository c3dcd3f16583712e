import test from 'ava';
import { resourcesOf } from '#model/resources.ts';
import { nextAction } from '../../../../agent/task/phase.ts';
import type { Desired, Observed, TaskAction } from '../../../../agent/task/phase.ts';
import { newRecord } from '../../../../agent/task/record.ts';
import type { TaskRecord } from '../../../../agent/task/record.ts';
import { container, service, T0, task } from '../../../support/builders.ts';

const BASE = { ...newRecord(task(service(), 'n1', { container: container({ stopGracePeriodMs: 10_000, restart: { mode: 'always', maxAttempts: 5, windowMs: 600_000, delayMs: 1_000 } }) }), 0, 'boot'), isFrozen: false };
const HELD = resourcesOf(BASE.task.container);
const PAUSED = { ...BASE.task, isPaused: true };
const BIGGER = { ...BASE.task, container: { ...BASE.task.container, limits: { ...HELD.limits, memoryBytes: HELD.limits.memoryBytes * 2 } } };
const END = { code: 1, isOomKilled: false, finishedAtMs: T0 };

function seen(record: Partial<TaskRecord>, rest: Partial<Observed> = {}): Observed {
  return { record: { ...BASE, resources: HELD, ...record }, isUnhealthy: false, isMonitorLost: false, mayStart: true, companionEnds: new Map(), ...rest };
}

const leadsTo = test.macro({
  exec(t, desired: Desired, observed: Observed, expected: Partial<TaskAction>) {
    t.like(nextAction(desired, observed, T0), expected);
  },
  title: (name = '') => `nextAction: ${name}`,
});

test('a new task starts its first attempt', leadsTo, 'run', seen({}), { kind: 'start', attempt: 1 });
test('no start without a permit', leadsTo, 'run', seen({}, { mayStart: false }), { kind: 'wait' });
test('a restart waits for its time', leadsTo, 'run', seen({ attempt: 2, notBeforeMs: T0 + 2_000 }), { kind: 'wait', untilMs: T0 + 2_000 });
test('beside companions that are up it waits for its time too', leadsTo, 'run', seen({ step: 'preparing', attempt: 1, notBeforeMs: T0 + 2_000, companions: [] }), { kind: 'wait', untilMs: T0 + 2_000 });
test('a restart whose time has come', leadsTo, 'run', seen({ attempt: 2, notBeforeMs: T0 }), { kind: 'start', attempt: 3 });
test('a time further away than the policy ever asks for is a clock that went back', leadsTo, 'run', seen({ attempt: 2, notBeforeMs: T0 + 8_001 }), { kind: 'start' });
test('a half-built attempt is cleared, whatever is wanted', leadsTo, 'stop', seen({ step: 'building', attempt: 1 }), { kind: 'clear' });
test('a created attempt that nobody started is cleared', leadsTo, 'run', seen({ step: 'starting', attempt: 1 }), { kind: 'clear' });
test('an ended attempt is cleared', leadsTo, 'run', seen({ step: 'ended', attempt: 1 }), { kind: 'clear' });
test('a running task that is wanted is left alone', leadsTo, 'run', seen({ step: 'running', attempt: 1 }), { kind: 'wait' });
test('an end is settled before a stop is thought of', leadsTo, 'stop', seen({ step: 'running' }, { end: END }), { kind: 'settle' });
test('a task to stop is signalled', leadsTo, 'stop', seen({ step: 'running' }), { kind: 'signal', cause: 'stopped' });
test('a task that is gone is signalled too', leadsTo, 'gone', seen({ step: 'running' }), { kind: 'signal', cause: 'stopped' });
test('an unhealthy task is signalled', leadsTo, 'run', seen({ step: 'running' }, { isUnhealthy: true }), { kind: 'signal', cause: 'unhealthy' });
test('a lost monitor counts before health', leadsTo, 'run', seen({ step: 'running' }, { isUnhealthy: true, isMonitorLost: true }), { kind: 'signal', cause: 'monitor-lost' });
test('an exclusive task is looked at again when its time is over', leadsTo, 'run', seen({ step: 'running' }, { cutOffInMs: 4_000 }), { kind: 'wait', untilMs: T0 + 4_000 });
test('cut off for its time it is signalled', leadsTo, 'run', seen({ step: 'running' }, { cutOffInMs: 0 }), { kind: 'signal', cause: 'disconnected' });
test('a controller that is heard again does not take that back', leadsTo, 'run', seen({ step: 'running' }, { cutOffInMs: 4_000, stopping: { sinceMs: 10_000, isKilled: false, cause: 'disconnected' } }), { kind: 'kill', cause: 'disconnected' });
test('told to stop while it is cut off it ends as stopped', leadsTo, 'stop', seen({ step: 'running' }, { cutOffInMs: -1 }), { kind: 'signal', cause: 'stopped' });
test('an attempt of a task that is cut off is given up before its main container', leadsTo, 'run', seen({ step: 'preparing', companions: [] }, { cutOffInMs: 0 }), { kind: 'give-up', reason: 'disconnected' });
test('a job is looked at again when its time is over', leadsTo, 'run', seen({ step: 'running', startedAtMs: T0 - 1_000, task: { ...BASE.task, timeoutMs: 5_000 } }), { kind: 'wait', untilMs: T0 + 4_000 });
test('a job whose time is over is signalled', leadsTo, 'run', seen({ step: 'running', startedAtMs: T0 - 5_000, task: { ...BASE.task, timeoutMs: 5_000 } }), { kind: 'signal', cause: 'timeout' });
test('within the grace period it is waited for', leadsTo, 'stop', seen({ step: 'running' }, { stopping: { sinceMs: 9_999, isKilled: false } }), { kind: 'wait', untilMs: T0 + 1 });
test('at the end of the grace period it is killed', leadsTo, 'stop', seen({ step: 'running' }, { stopping: { sinceMs: 10_000, isKilled: false } }), { kind: 'kill' });
test('a stop that is asked for at the container is one', leadsTo, 'run', seen({ step: 'running' }, { askedStop: {} }), { kind: 'signal', cause: 'stopped' });
test('it may bring its own grace period', leadsTo, 'run', seen({ step: 'running' }, { askedStop: { graceMs: 500 }, stopping: { sinceMs: 500, isKilled: false } }), { kind: 'kill', cause: 'stopped' });
test('without one it has the task\'s', leadsTo, 'run', seen({ step: 'running' }, { askedStop: {}, stopping: { sinceMs: 9_999, isKilled: false } }), { kind: 'wait', untilMs: T0 + 1 });
test('a paused task that is asked to stop is thawed and not frozen again', leadsTo, 'run', seen({ step: 'running', task: PAUSED, isFrozen: true }, { askedStop: {} }), { kind: 'thaw' });
test('what was asked to stop ends as stopped, and nothing follows', leadsTo, 'run', seen({ attempt: 1, ending: { kind: 'finish', phase: 'complete' } }), { kind: 'release', phase: 'complete' });
test('a killed one is looked at each second', leadsTo, 'stop', seen({ step: 'running' }, { stopping: { sinceMs: 15_000, isKilled: true } }), { kind: 'wait', untilMs: T0 + 1_000, isUnkillable: false });
test('five seconds after the kill it counts as unkillable', leadsTo, 'stop', seen({ step: 'running' }, { stopping: { sinceMs: 15_001, isKilled: true } }), { kind: 'wait', isUnkillable: true });
test('a stop between attempts releases what they share', leadsTo, 'stop', seen({ attempt: 1, notBeforeMs: T0 + 1_000 }), { kind: 'release', phase: 'complete' });
test('an ended budget releases as failed', leadsTo, 'run', seen({ attempt: 6, ending: { kind: 'finish', phase: 'failed' } }), { kind: 'release', phase: 'failed' });
test('a finished task stays as long as it is assigned', leadsTo, 'stop', seen({ step: 'finished' }), { kind: 'wait' });
test('a finished task that is gone is forgotten', leadsTo, 'gone', seen({ step: 'finished' }), { kind: 'forget' });

test('a task to pause is frozen', leadsTo, 'run', seen({ step: 'running', task: PAUSED }), { kind: 'freeze' });
test('a frozen task that is to run is thawed', leadsTo, 'run', seen({ step: 'running', isFrozen: true }), { kind: 'thaw' });
test('a paused task is left alone', leadsTo, 'run', seen({ step: 'running', task: PAUSED, isFrozen: true }), { kind: 'wait', reason: 'paused' });
test('what is not known to stand still is told again', leadsTo, 'run', { ...seen({}), record: withoutFrozen({ ...BASE, step: 'running', resources: HELD }) }, { kind: 'thaw' });
test('a frozen task is thawed before its stop signal', leadsTo, 'stop', seen({ step: 'running', task: PAUSED, isFrozen: true }), { kind: 'thaw' });
test('a task to stop is not frozen again', leadsTo, 'stop', seen({ step: 'running', task: PAUSED }), { kind: 'signal' });
test('a paused task is not unhealthy', leadsTo, 'run', seen({ step: 'running', task: PAUSED, isFrozen: true }, { isUnhealthy: true }), { kind: 'wait' });
test('a paused task does not restart', leadsTo, 'run', seen({ attempt: 1, task: PAUSED }), { kind: 'wait', reason: 'paused' });
test('other resources are set in place', leadsTo, 'run', seen({ step: 'running', task: BIGGER }), { kind: 'resize', resources: resourcesOf(BIGGER.container) });
test('resources that are not known to be in force are set again', leadsTo, 'run', { ...seen({}), record: { ...BASE, step: 'running' } }, { kind: 'resize', resources: HELD });
test('a refused change waits for its time', leadsTo, 'run', seen({ step: 'running', task: BIGGER }, { resizeNotBeforeMs: T0 + 1 }), { kind: 'wait', untilMs: T0 + 1 });
test('a refused change is tried again', leadsTo, 'run', seen({ step: 'running', task: BIGGER }, { resizeNotBeforeMs: T0 }), { kind: 'resize' });
test('a paused task is resized too', leadsTo, 'run', seen({ step: 'running', task: { ...BIGGER, isPaused: true }, isFrozen: true }), { kind: 'resize' });
test('a task to stop is not resized', leadsTo, 'stop', seen({ step: 'running', task: BIGGER }), { kind: 'signal' });

function withoutFrozen({ isFrozen: _, ...record }: TaskRecord): TaskRecord {
  return record;
}
