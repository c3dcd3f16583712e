import test from 'ava';
import { Etcd3 } from 'etcd3';
import { setTimeout as sleep } from 'node:timers/promises';
import { EtcdStore } from '../../controller/store/etcd-store.ts';
import type { Store } from '../../controller/store/ports.ts';
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
