import test from 'ava';
import { parseNodeId } from '#model/ids.ts';
import { newRecord } from '../../../../agent/task/record.ts';
import type { TaskRecord } from '../../../../agent/task/record.ts';
import { QUIET, statusOf } from '../../../../agent/task/status.ts';
import type { LiveState } from '../../../../agent/task/status.ts';
import { service, task } from '../../../support/builders.ts';

const NODE = parseNodeId('n1');
const PIDS = { container: { pid: 10, startTicks: 1 }, monitor: { pid: 11, startTicks: 1 } };

const shows = test.macro({
  exec(t, record: Partial<TaskRecord>, live: Partial<LiveState>, expected: object) {
    t.like(statusOf({ ...newRecord(task(service(), 'n1'), 0, 'boot'), ...record }, { ...QUIET, ...live }, NODE), expected);
  },
  title: (name = '') => `statusOf: ${name}`,
});

test('before the first attempt', shows, {}, {}, { phase: 'assigned', attempt: 0 });
test('between attempts it is the coming one', shows, { attempt: 2 }, {}, { phase: 'assigned', attempt: 3 });
test('while it is pulled', shows, { step: 'building', attempt: 1 }, { building: 'pulling' }, { phase: 'pulling', attempt: 1 });
test('running, with pid and health', shows, { step: 'running', attempt: 1, container: PIDS, health: 'healthy' }, {}, { phase: 'running', pid: 10, health: 'healthy' });
test('a stop in progress', shows, { step: 'running', attempt: 1 }, { isStopping: true }, { phase: 'stopping' });
test('no pid once it ended', shows, { step: 'ended', attempt: 1, container: PIDS }, {}, { phase: 'stopping', pid: undefined });
test('about to be released', shows, { attempt: 1, ending: { kind: 'finish', phase: 'failed' } }, {}, { phase: 'stopping', attempt: 1 });
test('finished', shows, { step: 'finished', attempt: 1, ending: { kind: 'finish', phase: 'failed' } }, {}, { phase: 'failed', attempt: 1 });
test('the step in progress speaks before the record', shows, { reason: 'restarting' }, { reason: 'ImagePullFailed', message: 'm' }, { reason: 'ImagePullFailed', message: 'm' });
