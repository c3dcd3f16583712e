import test from 'ava';
import { SpaceLoop } from '../../../controller/space-loop.ts';
import type { EtcdSpace } from '../../../controller/store/etcd-space.ts';
import type { SpaceKeeper } from '../../../controller/store/ports.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { silentLogger } from '../../support/silent-logger.ts';

const LOOK_MS = 10_000;

/** An etcd of members with a quota of 100; defragmentation gives back all that is not in use. */
class FakeEtcd implements SpaceKeeper {
  readonly calls: string[] = [];
  readonly #sizes: Map<string, number>;
  readonly #inUse: number;
  isOutOfSpace: boolean;

  constructor(sizes: Readonly<Record<string, number>>, inUse: number, isOutOfSpace: boolean) {
    this.#sizes = new Map(Object.entries(sizes));
    this.#inUse = inUse;
    this.isOutOfSpace = isOutOfSpace;
  }

  read(): Promise<EtcdSpace> {
    const members = [...this.#sizes].map(([host, sizeBytes]) => ({ host, sizeBytes, inUseBytes: this.#inUse, quotaBytes: 100 }));
    return Promise.resolve({ etcdRevision: 5_000, members, isOutOfSpace: this.isOutOfSpace });
  }

  compact(etcdRevision: number): Promise<void> {
    this.calls.push(`compact ${String(etcdRevision)}`);
    return Promise.resolve();
  }

  defragment(host: string): Promise<void> {
    this.calls.push(`defragment ${host}`);
    this.#sizes.set(host, this.#inUse);
    return Promise.resolve();
  }

  disarm(): Promise<void> {
    this.calls.push('disarm');
    this.isOutOfSpace = false;
    return Promise.resolve();
  }
}

async function callsWithin(etcd: FakeEtcd, looks: number, mayReclaim = true): Promise<readonly string[]> {
  const [clock, abort] = [new FakeClock(), new AbortController()];
  const loop = new SpaceLoop({ keeper: etcd, clock, logger: silentLogger, mayReclaim: () => mayReclaim, random: () => 0.99 });
  const running = loop.run(abort.signal).catch((error: unknown) => error);
  for (let look = 0; look < looks; look += 1) await clock.advance(LOOK_MS);
  abort.abort(new Error('over'));
  await running;
  return etcd.calls;
}

test('far from the quota nothing is done', async t => {
  t.deepEqual(await callsWithin(new FakeEtcd({ e1: 59, e2: 50 }, 10, false), 50), []);
});

test('near the quota history goes, but for what watches may need, and files that hold little are defragmented', async t => {
  t.deepEqual(await callsWithin(new FakeEtcd({ e1: 61, e2: 50 }, 45, false), 50), ['compact 4000', 'defragment e1']);
});

test('out of space all history goes, members one after another, then the alarm', async t => {
  t.deepEqual(await callsWithin(new FakeEtcd({ e1: 100, e2: 100, e3: 100 }, 30, true), 4), ['compact 5000', 'defragment e1', 'defragment e2', 'defragment e3', 'disarm']);
});

test('records in force that fill the quota keep the alarm: disarmed, it would be raised again', async t => {
  const calls = await callsWithin(new FakeEtcd({ e1: 100 }, 90, true), 4);
  t.deepEqual(calls, ['compact 5000', 'defragment e1'], 'and there is a pause');
});

test('records in force that fill most of it are not compacted at every look', async t => {
  t.deepEqual(await callsWithin(new FakeEtcd({ e1: 70 }, 65, false), 20), ['compact 4000']);
});

test('watches get the time between two looks before history goes', async t => {
  t.deepEqual(await callsWithin(new FakeEtcd({ e1: 100 }, 30, true), 1), []);
});

test('a raised quota is enough to disarm the alarm', async t => {
  t.deepEqual(await callsWithin(new FakeEtcd({ e1: 50 }, 45, true), 1), ['disarm']);
});

test('a controller that does not lead only looks', async t => {
  t.deepEqual(await callsWithin(new FakeEtcd({ e1: 100 }, 10, true), 4, false), []);
});

for (const slow of ['read', 'compact', 'defragment', 'disarm'] as const) {
  test(`the end of a controller does not wait for etcd: ${slow}`, async t => {
    const etcd = new FakeEtcd({ e1: 100 }, 30, true);
    const asked = Promise.withResolvers<undefined>();
    etcd[slow] = async (): Promise<never> => { asked.resolve(undefined); return await new Promise<never>(() => { /* no answer */ }); };
    const [clock, abort] = [new FakeClock(), new AbortController()];
    const running = new SpaceLoop({ keeper: etcd, clock, logger: silentLogger, mayReclaim: () => true, random: () => 0.99 }).run(abort.signal);
    for (let look = 0; look < 4; look += 1) await clock.advance(LOOK_MS);
    await asked.promise;
    abort.abort(new Error('over'));
    t.is(await Promise.race([running.catch((error: unknown) => String(error)), clock.advance(LOOK_MS).then(() => 'waits')]), 'Error: over');
  });
}
