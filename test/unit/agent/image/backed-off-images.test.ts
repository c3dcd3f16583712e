import test from 'ava';
import { ClusterError } from '#model/errors.ts';
import { parseDigest } from '#model/digest.ts';
import { DiskPressureError } from '../../../../agent/disk-pressure.ts';
import { BackedOffImages, PullBackoffError } from '../../../../agent/image/backed-off-images-flow.ts';
import type { ImageStore, LocalImage, PullRequest } from '../../../../agent/image/ports.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

const MINUTE = 60_000;
const IMAGE = { layers: [], sizeBytes: 1 } as unknown as LocalImage;
const NEVER = new AbortController().signal;

class Registry implements ImageStore {
  pulls = 0;
  failure: Error | undefined;
  local: LocalImage | undefined;

  async ensure(): Promise<LocalImage> {
    await Promise.resolve();
    if (this.local !== undefined) return this.local;
    this.pulls += 1;
    if (this.failure !== undefined) throw this.failure;
    return IMAGE;
  }

  async find(): Promise<LocalImage | undefined> {
    return await Promise.resolve(this.local);
  }

  async prune(): Promise<{ readonly freedBytes: number }> {
    return await Promise.resolve({ freedBytes: 0 });
  }
}

function setUp(failure: Error): { readonly registry: Registry; readonly clock: FakeClock; readonly pull: (request?: Partial<PullRequest>) => Promise<unknown> } {
  const [registry, clock] = [new Registry(), new FakeClock()];
  registry.failure = failure;
  const images = new BackedOffImages(registry, clock, () => 0.999);
  const digest = parseDigest(`sha256:${'a'.repeat(64)}`);
  return { registry, clock, pull: async (request = {}) => await images.ensure({ image: 'reg/x:1', digest, ...request }, () => undefined, NEVER).catch((error: unknown) => error) };
}

for (const code of ['UNAVAILABLE', 'FAILED_PRECONDITION'] as const) {
  test(`24: ${code}: ten tasks that want an image for an hour make less than one pull in three minutes once it failed some times`, async t => {
    const { registry, clock, pull } = setUp(new ClusterError(code, 'the registry answers status 500'));
    let early = 0;
    for (let second = 0; second < 60 * 60; second += 1) {
      for (let task = 0; task < 10; task += 1) t.like(await pull(), { code, message: 'the registry answers status 500' });
      if (second === 600) early = registry.pulls;
      await clock.advance(1_000);
    }
    t.true(early >= 8 && early <= 11, `${String(early)} in the first ten minutes`);
    t.true(registry.pulls - early <= 12, `${String(registry.pulls - early)} in the other fifty`);
  });
}

test('24: an image that arrives is answered before its time, and the next failure begins with the shortest delay', async t => {
  const { registry, clock, pull } = setUp(new ClusterError('UNAVAILABLE', 'away'));
  for (let minute = 0; minute < 20; minute += 1) {
    await pull();
    await clock.advance(MINUTE);
  }
  await pull();
  registry.local = IMAGE;
  t.is(await pull(), IMAGE);
  registry.local = undefined;
  const error = await pull();
  t.true(error instanceof PullBackoffError && error.retryAtMs - clock.monotonicMs() <= 1_000);
});

test('24: other images, other namespaces, a missing name, a refused login and a full disk wait for nothing', async t => {
  const { registry, pull } = setUp(new ClusterError('UNAVAILABLE', 'away'));
  await pull();
  await pull({ image: 'reg/y:1' });
  await pull({ namespace: 'b' });
  t.is(registry.pulls, 3);
  for (const failure of [new ClusterError('NOT_FOUND', ''), new ClusterError('PERMISSION_DENIED', ''), new DiskPressureError('full')]) {
    registry.failure = failure;
    registry.pulls = 0;
    for (const _ of [1, 2]) t.is(await pull({ image: 'reg/z:1' }), failure);
    t.is(registry.pulls, 2);
  }
});
