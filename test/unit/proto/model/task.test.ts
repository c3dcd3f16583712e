import test from 'ava';
import { isFinished, isForward, isServing, PHASES } from '#model/task.ts';
import { service, status, task } from '../../../support/builders.ts';

const one = task(service(), 'n1', { slot: 0 });

test('within an attempt a phase never goes back, and may be told twice', t => {
  PHASES.forEach((before, first) => {
    PHASES.forEach((after, second) => {
      t.is(isForward(status(one, { attempt: 1, phase: before }), status(one, { attempt: 1, phase: after })), second >= first, `${before} -> ${after}`);
    });
  });
});

test('a later attempt may be in any phase, an earlier one in none', t => {
  for (const phase of PHASES) {
    t.true(isForward(status(one, { attempt: 1, phase: 'failed' }), status(one, { attempt: 2, phase })));
    t.false(isForward(status(one, { attempt: 2, phase: 'pending' }), status(one, { attempt: 1, phase })));
  }
});

test('complete and failed are ends, nothing else is', t => {
  t.deepEqual(PHASES.filter(isFinished), ['complete', 'failed']);
});

test('requests go to what runs and is healthy or was never asked', t => {
  const serving = (['none', 'starting', 'healthy', 'unhealthy'] as const).filter(health => isServing(status(one, { phase: 'running', health })));
  t.deepEqual(serving, ['none', 'healthy']);
  t.deepEqual(PHASES.filter(phase => isServing(status(one, { phase, health: 'healthy' }))), ['running']);
});
