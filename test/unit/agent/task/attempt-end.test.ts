import test from 'ava';
import { ClusterError } from '#model/errors.ts';
import { afterClear, afterEnd, afterFailedStart, afterGivenUp, errorText, isPullRetried } from '../../../../agent/task/attempt-end.ts';
import type { StopCause } from '../../../../agent/task/phase.ts';
import { newRecord } from '../../../../agent/task/record.ts';
import type { TaskRecord } from '../../../../agent/task/record.ts';
import { container, service, T0, task } from '../../../support/builders.ts';

const POLICY = { mode: 'on-failure' as const, maxAttempts: 1, windowMs: 60_000, delayMs: 1_000 };
const RUNNING: TaskRecord = { ...newRecord(task(service(), 'n1', { container: container({ restart: POLICY }) }), 1, 'boot'), step: 'running' };

const ends = test.macro({
  exec(t, code: number | null, rest: { readonly isOomKilled?: boolean; readonly hadChildOom?: boolean; readonly cause?: StopCause }, expected: object) {
    t.like(afterEnd(RUNNING, { code, isOomKilled: rest.isOomKilled ?? false, ...(rest.hadChildOom === undefined ? {} : { hadChildOom: rest.hadChildOom }), finishedAtMs: T0 }, rest.cause), expected);
  },
  title: (name = '') => `afterEnd: ${name}`,
});

test('exit 0 completes', ends, 0, {}, { ending: { kind: 'finish', phase: 'complete' }, lastExit: { code: 0, reason: 'exited' } });
test('exit 7 restarts', ends, 7, {}, { ending: { kind: 'restart', notBeforeMs: T0 }, restarts: 1, lastExit: { code: 7, reason: 'exited' } });
test('a signal is named', ends, 139, {}, { lastExit: { code: 139, reason: 'signal:SEGV' } });
test('137 with an OOM is OOMKilled', ends, 137, { isOomKilled: true }, { lastExit: { reason: 'OOMKilled' } });
test('an OOM in a child alone is not', ends, 1, { isOomKilled: true }, { lastExit: { reason: 'exited' } });
test('an OOM in a child is kept beside the exit', ends, 0, { hadChildOom: true }, { lastExit: { reason: 'exited', hadChildOom: true } });
test('what nobody saw is unknown, never 0', ends, null, {}, { lastExit: { code: null, reason: 'exit-unknown' }, ending: { kind: 'restart' } });
test('a stop completes with the true code', ends, 143, { cause: 'stopped' }, { ending: { kind: 'finish', phase: 'complete' }, reason: 'stopped', lastExit: { code: 143, reason: 'stopped' } });
test('an unhealthy one that exits 0 still counts as failed', ends, 0, { cause: 'unhealthy' }, { ending: { kind: 'restart' }, lastExit: { code: 0, reason: 'unhealthy' } });
test('a job whose time was over failed, whatever it exits with', ends, 0, { cause: 'timeout' }, { ending: { kind: 'restart' }, lastExit: { code: 0, reason: 'timeout' } });
test('one that stopped because it was cut off goes on after it, and nothing counts', ends, 137, { cause: 'disconnected' }, { ending: { kind: 'restart', notBeforeMs: T0 }, restarts: 1, recent: [], reason: 'disconnected', lastExit: { code: 137, reason: 'disconnected' } });
test('a lost monitor is an unknown exit', ends, null, { cause: 'monitor-lost' }, { lastExit: { code: null, reason: 'exit-unknown' } });

test('afterEnd: a used budget is a crash loop', t => {
  const record = { ...RUNNING, recent: [{ code: 1, finishedAtMs: T0 - 1 }] };
  t.like(afterEnd(record, { code: 1, isOomKilled: false, finishedAtMs: T0 }, undefined), { reason: 'crash-loop', ending: { kind: 'finish', phase: 'failed' } });
});

test('afterEnd: a time that only lags is not before the start; a clock set back is told as it was', t => {
  const record = { ...RUNNING, startedAtMs: T0 };
  const endAt = (finishedAtMs: number): number | undefined => afterEnd(record, { code: 0, isOomKilled: false, finishedAtMs }, 'stopped').finishedAtMs;
  t.deepEqual([T0 - 10, T0 - 4, T0, T0 + 1].map(endAt), [T0, T0, T0, T0 + 1]);
  t.is(endAt(T0 - 11), T0 - 11);
});

test('afterEnd: a job with the default policy is not begun again', t => {
  const job = { ...RUNNING, task: task(service({ kind: 'job' }), 'n1', { container: container() }) };
  t.like(afterEnd(job, { code: 0, isOomKilled: false, finishedAtMs: T0 }, undefined), { ending: { kind: 'finish', phase: 'complete' } });
  t.like(afterEnd(job, { code: 3, isOomKilled: false, finishedAtMs: T0 }, undefined), { ending: { kind: 'finish', phase: 'failed' }, reason: 'exited' });
});

test('afterFailedStart: counts like a failed exit and keeps its own reason to the end', t => {
  const failing = { ...RUNNING, step: 'building' as const, reason: 'ImagePullFailed' };
  const first = afterFailedStart(failing, new ClusterError('NOT_FOUND', 'no such image'), T0);
  t.like(first, { reason: 'ImagePullFailed', message: 'no such image', lastExit: { code: null, reason: 'start-failed' }, ending: { kind: 'restart' } });
  t.like(afterFailedStart({ ...first, reason: 'ImagePullFailed' }, new Error('x'), T0), { reason: 'ImagePullFailed', ending: { kind: 'finish', phase: 'failed' } });
});

test('24: afterFailedStart: what the task asks for and can never have fails it at once; all else is tried as the policy says', t => {
  const failing = { ...RUNNING, step: 'building' as const, reason: 'StartFailed' };
  const refused = new ClusterError('INVALID_ARGUMENT', 'container a cannot be created: setrlimit `RLIMIT_RTPRIO`: Operation not permitted');
  for (const error of [refused, new Error('wrapped', { cause: refused })]) {
    t.like(afterFailedStart(failing, error, T0), { ending: { kind: 'finish', phase: 'failed' }, reason: 'StartFailed', restarts: 0, lastExit: { code: null, reason: 'start-failed' } });
  }
  t.like(afterFailedStart(failing, new ClusterError('FAILED_PRECONDITION', 'x'), T0), { ending: { kind: 'restart' } });
});

test('afterGivenUp: nothing is counted', t => {
  t.like(afterGivenUp(RUNNING, T0), { restarts: 0, recent: [], ending: { kind: 'restart', notBeforeMs: T0 } });
});

test('afterClear: a restart carries its time, a finish stays to be done', t => {
  t.like(afterClear({ ...RUNNING, ending: { kind: 'restart', notBeforeMs: T0 + 5 } }), { step: 'idle', notBeforeMs: T0 + 5 });
  const ended = { ...RUNNING, startedAtMs: T0, finishedAtMs: T0 + 9 };
  t.like(afterClear({ ...ended, ending: { kind: 'finish', phase: 'failed' } }), { step: 'idle', ending: { kind: 'finish', phase: 'failed' }, startedAtMs: T0, finishedAtMs: T0 + 9 });
  t.false('startedAtMs' in afterClear({ ...ended, ending: { kind: 'restart', notBeforeMs: T0 } }));
});

test('errorText: one safe line', t => {
  t.is(errorText(new ClusterError('NOT_FOUND', 'no\u001b[31m image\n')), 'no\\u001b[31m image\\u000a');
  t.is(errorText(new Error('mount', { cause: new Error('ENOSPC') })), 'mount: ENOSPC');
  t.is(errorText('x'.repeat(900)).length, 500);
});

test('isPullRetried: only what may pass by itself', t => {
  t.true(isPullRetried(new ClusterError('UNAVAILABLE', '')));
  t.true(isPullRetried(new ClusterError('RESOURCE_EXHAUSTED', '')));
  t.false(isPullRetried(new ClusterError('NOT_FOUND', '')));
  t.false(isPullRetried(new Error('bug')));
});
