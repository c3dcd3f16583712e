import test from 'ava';
import type { HealthCheck } from '#model/service.ts';
import { isVerdictChanged, judgeProbe, nextProbeDelayMs, NO_PROBES } from '../../../../agent/health/verdict.ts';
import type { ProbeHistory } from '../../../../agent/health/verdict.ts';

const CHECK: HealthCheck = { action: { kind: 'tcp', port: 80 }, intervalMs: 10_000, timeoutMs: 1_000, retries: 3, startPeriodMs: 15_000 };
const FAILURE = { isSuccess: false, message: 'tcp 80: ECONNREFUSED' } as const;
const SUCCESS = { isSuccess: true } as const;

/** `+` is a success, `-` a failure; each with the time since the container's start. */
function after(probes: readonly (readonly ['+' | '-', number])[], check: HealthCheck = CHECK): ProbeHistory {
  return probes.reduce((history, [kind, sinceStartMs]) => judgeProbe(check, history, kind === '+' ? SUCCESS : FAILURE, sinceStartMs), NO_PROBES);
}

const gives = test.macro({
  exec(t, probes: readonly (readonly ['+' | '-', number])[], health: string, message: string) {
    t.deepEqual(after(probes).verdict as object, { health, message });
  },
  title: (name = '') => `judgeProbe: ${name}`,
});

test('no probe yet is starting', gives, [], 'starting', '');
test('one success is healthy', gives, [['+', 100]], 'healthy', '');
test('failures of the start period do not count, but tell why', gives, [['-', 1], ['-', 2], ['-', 3], ['-', 15_000]], 'starting', FAILURE.message);
test('after it they do', gives, [['-', 1], ['-', 15_001], ['-', 15_002], ['-', 15_003]], 'unhealthy', FAILURE.message);
test('one fewer than retries is not enough', gives, [['-', 15_001], ['-', 15_002]], 'starting', FAILURE.message);
test('once healthy, failures count in the start period too', gives, [['+', 1], ['-', 2], ['-', 3], ['-', 4]], 'unhealthy', FAILURE.message);
test('a healthy one with a failure stays silent', gives, [['+', 1], ['-', 2]], 'healthy', '');
test('a success in between starts the count again', gives, [['+', 1], ['-', 2], ['-', 3], ['+', 4], ['-', 5], ['-', 6]], 'healthy', '');
test('unhealthy becomes healthy by one success', gives, [['-', 20_000], ['-', 20_001], ['-', 20_002], ['+', 20_003]], 'healthy', '');

test('one retry means that the first failure counts', t => {
  t.is(after([['-', 20_000]], { ...CHECK, retries: 1 }).verdict.health, 'unhealthy');
});

test('the interval is spread by a fifth around itself, and short while starting', t => {
  const healthy = after([['+', 1]]);
  t.is(nextProbeDelayMs(CHECK, healthy, 0), 9_000);
  t.is(nextProbeDelayMs(CHECK, healthy, 0.5), 10_000);
  t.is(nextProbeDelayMs(CHECK, NO_PROBES, 0.5), 500);
  t.is(nextProbeDelayMs({ ...CHECK, action: { kind: 'exec', command: ['true'] } }, NO_PROBES, 0.5), 2_000);
  t.is(nextProbeDelayMs({ ...CHECK, intervalMs: 100 }, NO_PROBES, 0.5), 100);
});

test('a verdict with another message is another one', t => {
  t.true(isVerdictChanged({ health: 'starting', message: '' }, { health: 'starting', message: 'x' }));
  t.false(isVerdictChanged({ health: 'healthy', message: '' }, { health: 'healthy', message: '' }));
});
