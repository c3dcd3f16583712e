import test from 'ava';
import type { RestartPolicy } from '#model/service.ts';
import { decideRestart } from '../../../../agent/task/restart-decision.ts';
import type { AttemptEnd } from '../../../../agent/task/restart-decision.ts';
import { T0 } from '../../../support/builders.ts';

const policy = (options: Partial<RestartPolicy> = {}): RestartPolicy => ({ mode: 'on-failure', maxAttempts: 2, windowMs: 60_000, delayMs: 1_000, ...options });
const end = (afterMs: number, code: number | null = 1): AttemptEnd => ({ code, finishedAtMs: T0 + afterMs });

const decides = test.macro({
  exec(t, rules: RestartPolicy, earlier: readonly AttemptEnd[], latest: AttemptEnd, expected: object) {
    t.like(decideRestart(rules, Object.freeze([...earlier]), latest), expected);
  },
  title: (name = '') => `decideRestart: ${name}`,
});

test('the first restart is at once', decides, policy(), [], end(10), { kind: 'restart', notBeforeMs: T0 + 10, recent: [end(10)] });
test('the second waits delayMs', decides, policy(), [end(0)], end(10), { kind: 'restart', notBeforeMs: T0 + 1_010 });
test('the third waits twice as long', decides, policy({ maxAttempts: 3 }), [end(0), end(5)], end(10), { kind: 'restart', notBeforeMs: T0 + 2_010 });
test('one restart too many', decides, policy(), [end(0), end(10)], end(20), { kind: 'fail', reason: 'attempts-exhausted' });
test('an end exactly windowMs ago is forgotten', decides, policy(), [end(0), end(10)], end(60_000), { kind: 'restart', recent: [end(10), end(60_000)] });
test('an end less than windowMs ago is not', decides, policy(), [end(1), end(10)], end(60_000), { kind: 'fail' });
test('a zero exit completes on-failure', decides, policy(), [], end(10, 0), { kind: 'complete' });
test('a zero exit completes never', decides, policy({ mode: 'never' }), [], end(10, 0), { kind: 'complete' });
test('a zero exit restarts always', decides, policy({ mode: 'always' }), [], end(10, 0), { kind: 'restart' });
test('an unknown code is no success', decides, policy(), [], end(10, null), { kind: 'restart' });
test('never means never', decides, policy({ mode: 'never' }), [], end(10), { kind: 'fail', reason: 'policy-never' });
test('no attempts left from the start', decides, policy({ maxAttempts: 0 }), [], end(10), { kind: 'fail', reason: 'attempts-exhausted' });
