import test from 'ava';
import type { Digest } from '#model/digest.ts';
import { parseDigest } from '#model/digest.ts';
import { DiskPressureError } from '../../../../agent/disk-pressure.ts';
import { withRoomMade } from '../../../../agent/image/make-room-flow.ts';
import { PruneLoop } from '../../../../agent/image/prune-loop.ts';
import { FakeClock, T0 } from '../../../support/fake-clock.ts';
import { silentLogger } from '../../../support/silent-logger.ts';

const HOUR_MS = 3_600_000;
const USED = parseDigest(`sha256:${'a'.repeat(64)}`);
const IDLE = parseDigest(`sha256:${'b'.repeat(64)}`);

class Rig {
  readonly clock = new FakeClock();
  readonly images = new Map<Digest, number>([[USED, T0], [IDLE, T0]]);
  named: ReadonlySet<Digest> | undefined = new Set([USED]);
  pruned = 0;
  usedBytes = 0;
  readonly told: string[] = [];
  readonly stopping = new AbortController();
  readonly loop = new PruneLoop({
    images: {
      list: () => Promise.resolve([...this.images].map(([digest, usedAtMs]) => ({ digest, usedAtMs, sizeBytes: 100 }))),
      markUsed: digests => {
        for (const digest of digests) this.images.set(digest, this.clock.nowMs());
        return Promise.resolve();
      },
      prune: keep => {
        this.pruned += 1;
        for (const digest of [...this.images.keys()].filter(one => !keep.has(one))) this.images.delete(digest);
        return Promise.resolve({ freedBytes: 1 });
      },
    },
    named: () => this.named, clock: this.clock, log: silentLogger, onPruned: message => { this.told.push(message); },
    disk: () => Promise.resolve({ totalBytes: 1000, usedBytes: this.usedBytes }), limits: { unusedMs: 24 * HOUR_MS, diskPercent: 85 },
  });
}

test('an image that no task needs goes 24 hours after its last use, one that a task needs stays', async t => {
  const rig = new Rig();
  const running = rig.loop.run(rig.stopping.signal);
  await rig.clock.advance(23 * HOUR_MS);
  t.deepEqual([...rig.images.keys()], [USED, IDLE]);
  await rig.clock.advance(HOUR_MS);
  t.deepEqual([...rig.images.keys()], [USED]);
  await rig.clock.advance(100 * HOUR_MS);
  t.deepEqual([...rig.images.keys()], [USED]);
  rig.stopping.abort(new Error('test ends'));
  await running;
});

test('nothing goes before the tasks of the node are known', async t => {
  const rig = new Rig();
  rig.named = undefined;
  void rig.loop.run(rig.stopping.signal);
  await rig.clock.advance(100 * HOUR_MS);
  await rig.loop.makeRoom();
  t.is(rig.pruned, 0);
  rig.stopping.abort(new Error('test ends'));
});

test('a pull that finds no room is tried again once all that no task needs is gone; any other failure is passed on', async t => {
  const rig = new Rig();
  const failures: Error[] = [new DiskPressureError('no space left')];
  const image = { digest: USED, config: { user: '', environment: [], entrypoint: [], command: [], workingDir: '', stopSignal: '' }, layers: [], sizeBytes: 0 };
  const images = withRoomMade({
    ensure: () => {
      const failure = failures.shift();
      return failure === undefined ? Promise.resolve(image) : Promise.reject(failure);
    },
    find: () => Promise.resolve(undefined), prune: () => Promise.resolve({ freedBytes: 0 }),
  }, async () => { await rig.loop.makeRoom(); });
  const ensure = async (): Promise<unknown> => await images.ensure({ image: 'r/x:1', digest: USED }, () => undefined, rig.stopping.signal);
  t.is(await ensure(), image);
  t.deepEqual([...rig.images.keys()], [USED]);
  failures.push(new Error('registry away'));
  await t.throwsAsync(ensure(), { message: 'registry away' });
  t.is(rig.pruned, 1);
});

test('on a disk that is too full an image that no task needs goes however new, and it is told', async t => {
  const rig = new Rig();
  const running = rig.loop.run(rig.stopping.signal);
  await rig.clock.advance(60_000);
  t.deepEqual([...rig.images.keys()], [USED, IDLE]);
  rig.usedBytes = 851;
  await rig.clock.advance(60_000);
  t.deepEqual([...rig.images.keys()], [USED]);
  t.deepEqual(rig.told, ['1 images that no task needs removed, 0 MiB free again: the disk is more than 85 % used']);
  await rig.clock.advance(60_000);
  t.deepEqual([[...rig.images.keys()], rig.told.length], [[USED], 1]);
  rig.stopping.abort(new Error('test ends'));
  await running;
});
