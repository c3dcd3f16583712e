import test from 'ava';
import type { TaskStatus } from '#model/task.ts';
import { statusEvents } from '../../../../controller/api/status-events.ts';
import { service, status, T0, task } from '../../../support/builders.ts';

const one = task(service(), 'n1');
const at = (options: Partial<TaskStatus>): TaskStatus => status(one, options);
const exit = (code: number | null): Partial<TaskStatus> => ({ lastExit: { attempt: 1, code, reason: 'exited', finishedAtMs: T0 } });

const tells = test.macro({
  exec(t, previous: TaskStatus | undefined, next: TaskStatus, expected: readonly string[], desired: 'run' | 'stop' = 'run') {
    const events = statusEvents({ ...one, desired }, previous, next);
    t.deepEqual(events.map(event => `${event.type} ${event.reason}`), expected);
    t.true(events.every(event => event.object === `task/${one.id}`));
  },
  title: (name = '') => `statusEvents: ${name}`,
});
test('the first running', tells, undefined, at({}), ['normal Started']);
test('running still', tells, at({}), at({ health: 'healthy' }), []);
test('a second attempt', tells, at({}), at({ attempt: 2 }), ['normal Restarted']);
test('an exit with 1', tells, at({}), at({ phase: 'starting', ...exit(1) }), ['warning Exited']);
test('an exit with 0', tells, at({}), at({ phase: 'complete', ...exit(0) }), ['normal Exited']);
test('an exit that nobody saw', tells, at({}), at({ phase: 'starting', ...exit(null) }), ['warning Exited']);
test('an exit that was wished for', tells, at({}), at({ phase: 'failed', ...exit(143) }), ['normal Exited'], 'stop');
test('a stop that was asked for at the container', tells, at({}), at({ phase: 'stopping', reason: 'stopped' }), []);
test('its end', tells, at({ reason: 'stopped' }), at({ phase: 'complete', reason: 'stopped', lastExit: { attempt: 1, code: 137, reason: 'stopped', finishedAtMs: T0 } }), ['normal Exited']);
test('the same exit again', tells, at(exit(1)), at(exit(1)), []);
test('unhealthy, once', tells, at({ health: 'healthy' }), at({ health: 'unhealthy' }), ['warning Unhealthy']);
test('unhealthy, with the words of its health check', tells, at({ health: 'healthy' }), at({ health: 'unhealthy', reason: 'Unhealthy', message: 'http 80/: status 404' }), ['warning Unhealthy']);
test('stopped for being unhealthy', tells, at({ health: 'unhealthy', reason: 'Unhealthy' }), at({ phase: 'stopping', health: 'unhealthy', reason: 'unhealthy' }), []);
test('given up for being unhealthy', tells, at({ phase: 'stopping', health: 'unhealthy', reason: 'unhealthy' }), at({ phase: 'failed', health: 'unhealthy', reason: 'unhealthy' }), ['warning unhealthy']);
test('unhealthy still', tells, at({ health: 'unhealthy' }), at({ health: 'unhealthy' }), []);
test('a new trouble', tells, at({ phase: 'pulling' }), at({ phase: 'pulling', reason: 'ImagePullFailed', message: 'no' }), ['warning ImagePullFailed']);
test('the same trouble', tells, at({ phase: 'pulling', reason: 'ImagePullFailed' }), at({ phase: 'pulling', reason: 'ImagePullFailed' }), []);
test('a pull tried once more', tells, at({ phase: 'pulling', reason: 'PullRetried', message: 'r: status 500' }), at({ phase: 'pulling', reason: 'PullRetried', message: 'r: status 503' }), ['warning PullRetried']);
test('the same retry heard twice', tells, at({ phase: 'pulling', reason: 'PullRetried', message: 'r: status 500' }), at({ phase: 'pulling', reason: 'PullRetried', message: 'r: status 500' }), []);
test('more killed for memory', tells, at({ reason: 'OOMKilledChild', message: '1' }), at({ reason: 'OOMKilledChild', message: '2' }), ['warning OOMKilledChild']);
const childOom: Partial<TaskStatus> = { lastExit: { attempt: 1, code: 0, reason: 'exited', finishedAtMs: T0, hadChildOom: true } };
test('a child killed for memory, seen only at the end', tells, at({}), at({ phase: 'complete', ...childOom }), ['normal Exited', 'warning OOMKilledChild']);
test('a child killed for memory, told before', tells, at({ reason: 'OOMKilledChild' }), at({ phase: 'complete', ...childOom }), ['normal Exited']);
test('the end of an attempt with one, heard twice', tells, at({ phase: 'complete', ...childOom }), at({ phase: 'complete', ...childOom }), []);
test('a failure without a word', tells, at({}), at({ phase: 'failed' }), ['warning Failed']);
test('a word that fits no key', tells, at({}), at({ phase: 'failed', reason: 'a/b\nc' }), ['warning a-b-c']);
