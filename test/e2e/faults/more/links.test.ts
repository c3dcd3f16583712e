/** Rows of links, leases and processors whose waits are long: D9, A8, A9, A12, F13, H5 (needs root). */
import { randomUUID } from 'node:crypto';
import { availableParallelism } from 'node:os';
import test from 'ava';
import { requireCommand } from '#kit/command-process.ts';
import { parseServiceId } from '#model/ids.ts';
import type { ServiceId } from '#model/ids.ts';
import { buildKey, parseKey } from '../../../../controller/store/keys.ts';
import { decodeService } from '../../../../controller/store/records.ts';
import { eventually } from '../../../support/dev-cluster.ts';
import { webApp } from '../../../support/fault-apps.ts';
import { FaultBench, lasting } from '../../../support/fault-bench.ts';
import { SideProcess } from '../../../support/side-process.ts';
import { unnoticed } from '../../../support/unnoticed.ts';

const LEASE_MS = 3_000;
const PORT = 18_241;

let bench: FaultBench;

test.before(async () => {
  bench = await FaultBench.up();
  await bench.cluster.apply(webApp({ port: PORT, replicas: 3 }), '--wait');
});

test.after.always('nothing is left, and nothing that must hold was violated', async t => {
  t.deepEqual(await bench.end(), []);
});

async function etcdctl(...args: readonly string[]): Promise<string> {
  const pki = `${bench.cluster.layout.stateDir}/pki/etcd-client`;
  return await requireCommand('etcdctl', ['--endpoints', `https://127.0.0.1:${String(bench.cluster.layout.etcdPort)}`, '--cacert', `${pki}/ca.pem`,
    '--cert', `${pki}/certificate.pem`, '--key', `${pki}/key.pem`, ...args]);
}

test.serial('A8: the leader stopped for LEASE/2: the same epoch, no node event (root)', async t => {
  const leader = await bench.leader();
  const { epoch } = bench.history.now();
  const revision = await bench.settled();
  await unnoticed(t, bench, PORT, async () => {
    await bench.freeze(leader);
    await lasting(LEASE_MS / 2);
    await bench.heal(leader);
  });
  t.is(bench.history.now().epoch, epoch);
  t.deepEqual(await bench.absencesSince(revision), []);
});

test.serial("A9: the leader's lease revoked: another epoch, nothing replaced (root)", async t => {
  const leader = await bench.leader();
  const { epoch } = bench.history.now();
  const before = bench.log(leader).length;
  await unnoticed(t, bench, PORT, async () => {
    const { kvs } = JSON.parse(await etcdctl('get', '/gantry/v1/leader', '-w', 'json')) as { readonly kvs: readonly { readonly lease: number | bigint }[] };
    t.is(kvs.length, 1);
    const leases = (await etcdctl('lease', 'list')).split('\n').filter(line => /^[0-9a-f]{16}$/.test(line));
    for (const lease of leases) {
      const keys = await etcdctl('lease', 'timetolive', lease, '--keys');
      if (keys.includes('/gantry/v1/leader')) await etcdctl('lease', 'revoke', lease);
    }
    await eventually('the leader to step down', 3_000, () => bench.log(leader).slice(before).includes('not leading any more'));
    await eventually('another epoch', LEASE_MS + 3_000, async () => {
      await bench.history.catchUp();
      return bench.history.now().epoch > epoch;
    });
  });
});

/** The replicas that each request wrote into the service, by the request's id, in the order of the writes. */
function replicasByRequest(service: ServiceId): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const { batch } of bench.history.entries) {
    const puts = batch.changes.flatMap(change => (change.kind === 'put' ? [change.entry] : []));
    // One batch may have several transactions; those of one have its revision.
    const services = new Map(puts.filter(entry => entry.key === buildKey({ kind: 'service', id: service })).map(entry => [entry.modRevision, entry.value]));
    for (const { key, modRevision } of puts) {
      const parsed = parseKey(key);
      const value = services.get(modRevision);
      if (value !== undefined && parsed?.kind === 'request') found.set(parsed.id, decodeService(value).spec.replicas);
    }
  }
  return found;
}

test.serial('A12: 100 updates of one Service at once: each one landed or says CONFLICT, and the last revision is one of them (root)', async t => {
  const client = bench.cluster.client();
  const service = parseServiceId('default/load/web');
  try {
    const wishes = Array.from({ length: 100 }, (_, index) => ({ requestId: randomUUID(), service, replicas: 1 + index % 5 }));
    const outcomes = await Promise.allSettled(wishes.map(async wish => { await client.scale(wish); }));
    const refused = outcomes.filter(outcome => outcome.status === 'rejected').map(outcome => (outcome.reason as { readonly code?: string }).code);
    t.true(refused.length < outcomes.length);
    t.deepEqual(refused.filter(code => code !== 'CONFLICT'), []);
    await bench.history.catchUp();
    const landed = wishes.filter((_, index) => outcomes[index]?.status === 'fulfilled');
    const written = replicasByRequest(service);
    t.deepEqual(landed.map(({ requestId }) => [requestId, written.get(requestId)]), landed.map(({ requestId, replicas }) => [requestId, replicas]));
    t.deepEqual(wishes.filter(wish => !landed.includes(wish) && written.has(wish.requestId)), [], 'what was refused is not there');
    const [last] = [...written].filter(([requestId]) => wishes.some(wish => wish.requestId === requestId)).slice(-1);
    t.is(bench.history.now().services.get(service)?.value.spec.replicas, last?.[1]);
    await client.scale({ requestId: randomUUID(), service, replicas: 3 });
  } finally {
    client.close();
  }
  await bench.settled();
  t.is((await bench.live('default/load/web')).length, 3);
});

test.serial('D9: a link flaps, 1 s down and 1 s up for 60 s: few registrations, no restart (root)', async t => {
  const registrations = (): number => bench.log('n2').split('"msg":"registered"').length - 1;
  const before = bench.pictures();
  const revision = await bench.settled();
  const registeredBefore = registrations();
  for (let round = 0; round < 30; round += 1) {
    await bench.cut('n2');
    await lasting(1_000);
    await bench.mend('n2');
    await lasting(1_000);
  }
  await bench.heard();
  await bench.settled();
  t.true(registrations() - registeredBefore <= 20, `${String(registrations() - registeredBefore)} registrations`);
  t.deepEqual(bench.pictures(), before);
  t.deepEqual((await bench.tasksSince(revision)).map(task => task.name), []);
});

test.serial('F13: every processor busy for 2 min: no node is lost, nothing is replaced (root)', async t => {
  const before = bench.pictures();
  const revision = await bench.settled();
  const busy = Array.from({ length: 2 * availableParallelism() }, () => new SideProcess('sh', '-c', 'while :; do :; done'));
  try {
    await lasting(120_000);
  } finally {
    await Promise.all(busy.map(async one => { await one.end(); }));
  }
  await bench.heard();
  await bench.settled();
  t.deepEqual(bench.pictures(), before);
  t.deepEqual((await bench.tasksSince(revision)).map(task => task.name), []);
  t.deepEqual((await bench.absencesSince(revision)).filter(absence => absence.endsWith('lost')), []);
});

test.serial('H5: the whole cluster stopped for 30 s: nothing is replaced (root)', async t => {
  const before = bench.pictures();
  const revision = await bench.settled();
  const names = ['c1', 'c2', 'n1', 'n2', 'n3', 'etcd', 'nats'];
  for (const name of names) await bench.freeze(name);
  await lasting(30_000);
  await bench.heal();
  await bench.heard();
  await bench.settled();
  t.deepEqual(bench.pictures(), before);
  t.deepEqual((await bench.tasksSince(revision)).map(task => task.name), []);
});
