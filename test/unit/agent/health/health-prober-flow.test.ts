import test from 'ava';
import { ClusterError } from '#model/errors.ts';
import { NodeHealthProber } from '../../../../agent/health/health-prober-flow.ts';
import type { ProbeActions } from '../../../../agent/health/health-prober-flow.ts';
import type { HealthVerdict, ProbeTarget } from '../../../../agent/health/ports.ts';
import { FakeClock, T0 } from '../../../support/fake-clock.ts';

const TARGET: ProbeTarget = {
  containerId: 'c1', networkNamespacePath: '/run/net', address: '10.128.1.2', startedAtMs: T0,
  check: { action: { kind: 'exec', command: ['check'] }, intervalMs: 1_000, timeoutMs: 300, retries: 2, startPeriodMs: 0 },
};
const UNUSED = (): Promise<never> => Promise.reject(new Error('not asked'));

function prober(clock: FakeClock, exec: ProbeActions['exec'], execConcurrency = 2): NodeHealthProber {
  return new NodeHealthProber({ tcp: UNUSED, http: UNUSED, grpc: UNUSED, exec }, clock, { execConcurrency, random: () => 0.5 });
}

test('verdicts come when they change; a probe that throws or hangs has failed', async t => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const answers: (() => ReturnType<ProbeActions['exec']>)[] = [
    () => Promise.resolve({ isSuccess: true }), () => Promise.resolve({ isSuccess: true }),
    () => Promise.reject(new Error('no\u001b[2J runtime')), () => new Promise(() => undefined),
  ];
  const seen: HealthVerdict[] = [];
  const watching = (async () => {
    for await (const verdict of prober(clock, () => (answers.shift() ?? (() => Promise.resolve({ isSuccess: true } as const)))()).watch(TARGET, stop.signal)) {
      seen.push(verdict);
    }
  })();
  await clock.advance(4_350);
  t.deepEqual(seen, [{ health: 'healthy', message: '' }, { health: 'unhealthy', message: 'no answer within 300 ms' }]);
  stop.abort();
  await watching;
});

test('a runtime\'s words reach nobody\'s terminal raw', async t => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const seen: HealthVerdict[] = [];
  const watching = (async () => {
    for await (const verdict of prober(clock, () => Promise.reject(new Error('no\u001b[2J\nruntime'))).watch(TARGET, stop.signal)) {
      seen.push(verdict);
    }
  })();
  await clock.advance(1_000);
  t.deepEqual(seen.map(verdict => verdict.message), ['no [2J runtime']);
  stop.abort();
  await watching;
});

test('exec probes at once are as many as allowed', async t => {
  const clock = new FakeClock();
  const stop = new AbortController();
  let running = 0;
  let most = 0;
  const exec: ProbeActions['exec'] = async (_, __, signal) => {
    running += 1;
    most = Math.max(most, running);
    await clock.sleep(50, signal);
    running -= 1;
    return { isSuccess: true };
  };
  const one = prober(clock, exec, 2);
  const healthy: string[] = [];
  const watching = Array.from({ length: 5 }, async (_, index) => {
    for await (const verdict of one.watch({ ...TARGET, containerId: `c${String(index)}` }, stop.signal)) {
      healthy.push(verdict.health);
    }
  });
  await clock.advance(1_900);
  t.is(most, 2);
  t.is(healthy.length, 5);
  stop.abort();
  await Promise.all(watching);
});

test('23: exec probes that hang hold up no probe of another container, however long they may take', async t => {
  const clock = new FakeClock();
  const stop = new AbortController();
  let hanging = 0;
  const exec: ProbeActions['exec'] = async (id, _, signal) => {
    if (id !== 'polite') {
      hanging += 1;
      await clock.sleep(1_000_000, signal).finally(() => { hanging -= 1; });
    }
    return { isSuccess: true };
  };
  const one = prober(clock, exec, 2);
  const watch = async (containerId: string, timeoutMs: number): Promise<readonly string[]> => {
    const seen: string[] = [];
    for await (const { health } of one.watch({ ...TARGET, containerId, check: { ...TARGET.check, timeoutMs } }, stop.signal)) seen.push(health);
    return seen;
  };
  const hungry = Array.from({ length: 6 }, async (_, index) => await watch(`hungry${String(index)}`, 600_000));
  await clock.advance(5_000);
  const polite = watch('polite', 300);
  await clock.advance(5_000);
  t.is(hanging, 6, 'one each');
  stop.abort();
  t.deepEqual(await polite, ['healthy']);
  await Promise.all(hungry);
});

test('F11: a probe that the agent was too short of something for says nothing of the container; one that the container has no processes for has failed', async t => {
  const clock = new FakeClock();
  const stop = new AbortController();
  let failure: Error = Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' });
  const seen: HealthVerdict[] = [];
  const watching = (async () => {
    for await (const verdict of prober(clock, () => Promise.reject(failure)).watch(TARGET, stop.signal)) {
      seen.push(verdict);
    }
  })();
  await clock.advance(10_000);
  t.deepEqual(seen, []);
  failure = new ClusterError('RESOURCE_EXHAUSTED', 'exec: pids limit');
  await clock.advance(4_000);
  t.is(seen.at(-1)?.health, 'unhealthy');
  stop.abort();
  await watching;
});
