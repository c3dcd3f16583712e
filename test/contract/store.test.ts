import test from 'ava';
import { Etcd3 } from 'etcd3';
import { setTimeout as sleep } from 'node:timers/promises';
import { EtcdStore } from '../../controller/store/etcd-store.ts';
import { revisionOf } from '../../controller/store/ports.ts';
import type { Store, StoreBatch } from '../../controller/store/ports.ts';
import { EtcdProcess } from '../support/etcd-process.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { MemoryEtcd } from '../support/memory-store.ts';
import type { MemoryStore } from '../support/memory-store.ts';
import { storeContract } from './store-contract.ts';

let etcd: EtcdProcess | undefined;
let count = 0;

test.before('needs etcd', async () => { etcd = await EtcdProcess.start(); });
test.after.always(async () => { await etcd?.remove(); });

storeContract(test, {
  name: 'MemoryStore',
  make: () => {
    const clock = new FakeClock();
    const server = new MemoryEtcd(clock);
    const clients: MemoryStore[] = [];
    return Promise.resolve({
      root: '/test/',
      connect: (): Store => {
        const client = server.connect();
        clients.push(client);
        return client;
      },
      compact: (etcdRevision: number) => { server.compact(etcdRevision); return Promise.resolve(); },
      stopServer: () => { clients.forEach(client => { client.cut(); }); return Promise.resolve(); },
      startServer: () => { clients.forEach(client => { client.heal(); }); return Promise.resolve(); },
      pass: (durationMs: number) => clock.advance(durationMs),
    });
  },
});

test.serial('EtcdStore on etcd: a list of 300 records of 230 KiB, which no one message takes, is whole', async t => {
  const store = new EtcdStore({ hosts: [etcd?.host ?? ''] });
  const value = new Uint8Array(230 * 1024);
  for (let index = 0; index < 300; index += 4) {
    await store.transact([], [0, 1, 2, 3].map(more => ({ kind: 'put', key: `/large/${String(index + more).padStart(3, '0')}`, value })));
  }
  const { entries } = await store.list('/large/');
  t.deepEqual([entries.length, entries.every(entry => entry.value.length === value.length)], [300, true]);
  store.close();
});

test.serial('EtcdStore on etcd: a watch that catches up over 40 revisions of 450 KiB yields batches of 4 MiB at most, each of whole revisions', async t => {
  const store = new EtcdStore({ hosts: [etcd?.host ?? ''] });
  const { etcdRevision } = await store.list('/behind/');
  for (let index = 0; index < 40; index += 1) {
    await store.transact([], [0, 1, 2].map(part => ({ kind: 'put', key: `/behind/${String(index)}/${String(part)}`, value: new Uint8Array(150 * 1024) })));
  }
  const [over, batches] = [new AbortController(), [] as StoreBatch[]];
  for await (const batch of store.watch('/behind/', etcdRevision, over.signal)) {
    batches.push(batch);
    if (batches.reduce((sum, one) => sum + one.changes.length, 0) === 120) break;
  }
  const sizes = batches.map(({ changes }) => changes.reduce((sum, change) => sum + (change.kind === 'put' ? change.entry.value.length : 0), 0));
  t.true(Math.max(...sizes) <= 4 * 1024 * 1024, sizes.join(' '));
  t.deepEqual(batches.flatMap(({ changes }) => changes.map(revisionOf)), Array.from({ length: 120 }, (_, index) => etcdRevision + 1 + Math.floor(index / 3)));
  t.true(batches.every(({ changes }) => changes.length % 3 === 0));
  over.abort(new Error('over'));
  store.close();
});

storeContract(test, {
  name: 'EtcdStore on etcd',
  make: () => {
    const server = etcd;
    if (server === undefined) {
      throw new Error('etcd is not running');
    }
    count += 1;
    return Promise.resolve({
      root: `/test/${String(count)}/`,
      connect: (): Store => new EtcdStore({ hosts: [server.host] }),
      compact: async (etcdRevision: number) => {
        const client = new Etcd3({ hosts: server.host });
        await client.kv.compact({ revision: etcdRevision });
        client.close();
      },
      stopServer: () => server.kill(),
      startServer: () => server.start(),
      pass: async (durationMs: number) => { await sleep(durationMs); },
    });
  },
});
