import test from 'ava';
import type { ExecutionContext } from 'ava';
import { confirmLeadership, giveUpLease, tryToLead } from '../../controller/store/election-store.ts';
import { compareEpoch, isEpochRefused } from '../../controller/store/epoch.ts';
import { EtcdStore } from '../../controller/store/etcd-store.ts';
import type { Store } from '../../controller/store/ports.ts';
import type { ControllerRecord } from '#model/node.ts';
import { isClusterError } from '#model/errors.ts';
import { EtcdProcess } from '../support/etcd-process.ts';
import { FakeClock, T0 } from '../support/fake-clock.ts';
import { MemoryEtcd } from '../support/memory-store.ts';

const LEASE_MS = 3_000;
const ROUNDS = 50;
const record = (id: string): ControllerRecord => ({ id, apiAddress: `${id}:7400`, metricsAddress: `${id}:7401`, startedAtMs: T0 });

interface Bench {
  readonly first: Store;
  readonly second: Store;
}

function electionContract(name: string, make: () => Promise<Bench & AsyncDisposable>): void {
  const run = (title: string, body: (t: ExecutionContext, bench: Bench) => Promise<void>): void => {
    test.serial(`${name}: ${title}`, async t => {
      await using bench = await make();
      await body(t, bench);
    });
  };

  run('A3 of two candidates one leads, in each of 50 rounds, and epochs rise', async (t, { first, second }) => {
    const { signal } = new AbortController();
    let lastEpoch = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const candidacies = await Promise.all([tryToLead(first, record('c1'), LEASE_MS, signal), tryToLead(second, record('c2'), LEASE_MS, signal)]);
      const winners = candidacies.filter(candidacy => candidacy !== undefined);
      t.is(winners.length, 1);
      t.true((winners[0]?.epoch ?? 0) > lastEpoch);
      lastEpoch = winners[0]?.epoch ?? 0;
      await giveUpLease(first, winners[0]?.leaseId ?? '');
    }
  });

  run('A2 a write of an epoch that is over is refused, whatever its author believes', async (t, { first, second }) => {
    const { signal } = new AbortController();
    const old = await tryToLead(first, record('c1'), LEASE_MS, signal);
    await second.revokeLease(old?.leaseId ?? '');
    const next = await tryToLead(second, record('c2'), LEASE_MS, signal);
    const write = (store: Store, epoch: number) => store.transact([compareEpoch(epoch)], [{ kind: 'put', key: '/gantry/v1/x', value: new Uint8Array([1]) }]);
    const refused = await write(first, old?.epoch ?? 0);
    t.true(refused.kind === 'refused' && isEpochRefused(refused.failed));
    t.is((await write(second, next?.epoch ?? 0)).kind, 'committed');
    await giveUpLease(second, next?.leaseId ?? '');
    const afterAll = await write(second, next?.epoch ?? 0);
    t.is(afterAll.kind, 'refused');
  });

  run('A9 a leadership whose lease was revoked is not confirmed', async (t, { first, second }) => {
    const { signal } = new AbortController();
    const old = await tryToLead(first, record('c1'), LEASE_MS, signal);
    await t.notThrowsAsync(confirmLeadership(first, old!, signal));
    await second.revokeLease(old!.leaseId);
    t.true(isClusterError(await t.throwsAsync(confirmLeadership(first, old!, signal)), 'NOT_FOUND'));
    const next = await tryToLead(second, record('c2'), LEASE_MS, signal);
    t.true(isClusterError(await t.throwsAsync(confirmLeadership(first, { ...old!, leaseId: next!.leaseId }, signal)), 'NOT_FOUND'));
    await giveUpLease(second, next!.leaseId);
  });
}

electionContract('MemoryStore', () => {
  const server = new MemoryEtcd(new FakeClock());
  return Promise.resolve({ first: server.connect(), second: server.connect(), [Symbol.asyncDispose]: () => Promise.resolve() });
});

electionContract('EtcdStore on etcd', async () => {
  const server = await EtcdProcess.start();
  const [first, second] = [new EtcdStore({ hosts: [server.host] }), new EtcdStore({ hosts: [server.host] })];
  return {
    first, second,
    async [Symbol.asyncDispose]() {
      first.close();
      second.close();
      await server.remove();
    },
  };
});

test('MemoryStore: an unclear answer to a candidacy leaves no leader behind', async t => {
  const server = new MemoryEtcd(new FakeClock());
  const store = server.connect();
  const { signal } = new AbortController();
  store.swallowAnswers = 1;
  t.is(await tryToLead(store, record('c1'), LEASE_MS, signal), undefined);
  t.truthy(await tryToLead(store, record('c1'), LEASE_MS, signal));
});
