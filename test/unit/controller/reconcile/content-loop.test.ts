import test from 'ava';
import type { Service } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { appId } from '#model/ids.ts';
import { ContentLoop } from '../../../../controller/reconcile/content-loop.ts';
import { buildKey } from '../../../../controller/store/keys.ts';
import { encodeRevision } from '../../../../controller/store/records.ts';
import { service, snapshot, T0 } from '../../../support/builders.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';
import { MemoryEtcd, MemoryStore } from '../../../support/memory-store.ts';
import { silentLogger } from '../../../support/silent-logger.ts';

const HOUR_MS = 3_600_000;
const blob = (letter: string): string => buildKey({ kind: 'blob', namespace: 'default', sha256: letter.repeat(64) });
const config = (letter: string): { readonly name: string; readonly sha256: string } => ({ name: 'conf', sha256: letter.repeat(64) });

class Rig {
  readonly clock = new FakeClock();
  readonly store = new MemoryStore(new MemoryEtcd(this.clock));
  services: readonly Service[] = [];
  isHeld = true;
  readonly #ending = new AbortController();
  run: Promise<void> | undefined;

  get current(): ClusterSnapshot {
    return snapshot({ services: this.services });
  }

  waitFor(): Promise<void> {
    return Promise.resolve();
  }

  async put(key: string, value: Uint8Array = Buffer.from('x')): Promise<void> {
    await this.store.transact([], [{ kind: 'put', key, value }]);
  }

  async putRevision(number: number, letter: string): Promise<void> {
    const app = appId('default', 'shop');
    await this.put(buildKey({ kind: 'revision', app, number }), encodeRevision({ app, number, services: [], volumes: [], pins: { configs: [config(letter)], secrets: [] }, createdAtMs: T0 }));
  }

  /** A term begins. */
  async begin(): Promise<void> {
    const leader = buildKey({ kind: 'leader' });
    await this.put(leader);
    const epoch = (await this.store.get(leader))?.createRevision ?? 0;
    const loop = new ContentLoop({
      store: this.store, clock: this.clock, logger: silentLogger,
      cluster: this,
    }, { epoch, isHeld: () => this.isHeld });
    this.run = loop.run(this.#ending.signal);
    this.run.catch(() => { /* looked at by the test */ });
    await settle();
  }

  async pass(durationMs: number): Promise<void> {
    for (let passed = 0; passed < durationMs; passed += 600_000) {
      await this.clock.advance(600_000);
      await settle();
    }
  }

  async blobs(): Promise<string> {
    const { entries } = await this.store.list('/gantry/v1/blobs/');
    return entries.map(({ key }) => key.at(-1)).join('');
  }

  end(): void {
    this.#ending.abort(new Error('test ends'));
  }
}

test('what no Revision and no Service pins is removed after an hour; what an old Revision pins stays for an undo', async t => {
  const rig = new Rig();
  for (const letter of 'abcd') await rig.put(blob(letter));
  await rig.putRevision(1, 'a');
  await rig.putRevision(2, 'b');
  rig.services = [{ ...service(), pins: { configs: [config('c')], secrets: [] } }];
  await rig.begin();
  await rig.pass(HOUR_MS);
  t.is(await rig.blobs(), 'abcd', 'not yet');
  await rig.pass(HOUR_MS / 2);
  t.is(await rig.blobs(), 'abc');
  rig.services = [];
  await rig.pass(2 * HOUR_MS);
  t.is(await rig.blobs(), 'ab');
  rig.end();
});

test('once the App is gone with its Revisions its contents go', async t => {
  const rig = new Rig();
  await rig.put(blob('a'));
  await rig.putRevision(1, 'a');
  await rig.begin();
  await rig.pass(2 * HOUR_MS);
  t.is(await rig.blobs(), 'a');
  await rig.store.transact([], [{ kind: 'delete', key: buildKey({ kind: 'revision', app: appId('default', 'shop'), number: 1 }) }]);
  await rig.pass(2 * HOUR_MS);
  t.is(await rig.blobs(), '');
  rig.end();
});

test('a Revision of the same number as one before is read anew', async t => {
  const rig = new Rig();
  await rig.put(blob('a'));
  await rig.put(blob('b'));
  await rig.putRevision(1, 'a');
  await rig.begin();
  await rig.pass(600_000);
  await rig.store.transact([], [{ kind: 'delete', key: buildKey({ kind: 'revision', app: appId('default', 'shop'), number: 1 }) }]);
  await rig.putRevision(1, 'b');
  await rig.pass(2 * HOUR_MS);
  t.is(await rig.blobs(), 'b');
  rig.end();
});

test('where one Revision cannot be read nothing is removed', async t => {
  const rig = new Rig();
  await rig.put(blob('a'));
  await rig.put(buildKey({ kind: 'revision', app: appId('default', 'shop'), number: 1 }), Buffer.from([0xff, 0xff]));
  await rig.begin();
  await rig.pass(3 * HOUR_MS);
  t.is(await rig.blobs(), 'a');
  rig.end();
});

test('a leader of an earlier epoch, or without its lease, removes nothing, and its term ends', async t => {
  for (const isHeld of [true, false]) {
    const rig = new Rig();
    await rig.put(blob('a'));
    await rig.begin();
    await rig.store.transact([], [{ kind: 'delete', key: buildKey({ kind: 'leader' }) }]);
    await rig.put(buildKey({ kind: 'leader' }));
    rig.isHeld = isHeld;
    await rig.pass(2 * HOUR_MS);
    await t.throwsAsync(rig.run ?? Promise.resolve(), { name: 'DeposedError' });
    t.is(await rig.blobs(), 'a');
  }
});
