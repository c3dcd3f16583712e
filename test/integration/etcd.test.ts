import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { Etcd3 } from 'etcd3';
import { createAuthority, issueCertificate } from '#identity/certificate-authority.ts';
import { systemClock } from '#kit/clock.ts';
import { MachineCertificatesLoop } from '../../controller/identity/machine-certificates-loop.ts';
import { SpaceLoop } from '../../controller/space-loop.ts';
import { EtcdSpaceStore } from '../../controller/store/etcd-space-store.ts';
import { EtcdStore } from '../../controller/store/etcd-store.ts';
import { buildKey } from '../../controller/store/keys.ts';
import { CompactedError } from '../../controller/store/ports.ts';
import type { Operation, StoreChange } from '../../controller/store/ports.ts';
import { encodeTask } from '../../controller/store/records.ts';
import { ClusterWatch } from '../../controller/store/watch-loop.ts';
import { service, task, taskId } from '../support/builders.ts';
import { eventually } from '../support/dev-cluster.ts';
import { EtcdProcess } from '../support/etcd-process.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { TcpRelay } from '../support/tcp-relay.ts';
import { untilNone } from '../support/until-none.ts';

const EVENTS = 20_000;
const PER_TRANSACTION = 5;
const WRITERS = 50;
/** What takes 5 s at most where nothing else runs. */
const BUSY_LIMIT_MS = 15_000;
const QUOTA_BYTES = 8 * 1024 * 1024;
const put = (key: string): Operation => ({ kind: 'put', key, value: new Uint8Array(100) });
const keyOf = (change: StoreChange): string => (change.kind === 'put' ? change.entry.key : change.key);
const letters = (index: number): string => Array.from(index.toString(26).padStart(4, '0'), digit => String.fromCharCode(97 + parseInt(digit, 26))).join('');

test.serial('needs etcd: a watch that catches up over two kill -9 of etcd yields each of 20,000 events once, in order', async t => {
  const etcd = await EtcdProcess.start();
  const store = new EtcdStore({ hosts: [etcd.host] });
  try {
    const { etcdRevision } = await store.list('/w/');
    let next = 0;
    await Promise.all(Array.from({ length: WRITERS }, async () => {
      for (let start = next; start < EVENTS; start = next) {
        next += PER_TRANSACTION;
        await store.transact([], Array.from({ length: PER_TRANSACTION }, (_, index) => put(`/w/${String(start + index)}`)));
      }
    }));
    const seen: StoreChange[] = [];
    let kills = 0;
    for await (const batch of store.watch('/w/', etcdRevision, AbortSignal.timeout(60_000))) {
      seen.push(...batch.changes);
      if (kills < 2 && seen.length < EVENTS) {
        kills += 1;
        await etcd.kill();
        await etcd.start();
      }
      if (seen.length >= EVENTS) {
        break;
      }
    }
    t.is(kills, 2);
    t.is(seen.length, EVENTS);
    t.is(new Set(seen.map(keyOf)).size, EVENTS);
    const revisions = seen.map(change => (change.kind === 'put' ? change.entry.modRevision : change.modRevision));
    t.deepEqual(revisions, revisions.toSorted((left, right) => left - right));
  } finally {
    store.close();
    await etcd.remove();
  }
});

test.serial('needs etcd: B2 an etcd that stood still answers UNAVAILABLE soon, and the picture goes on when it does', async t => {
  const etcd = await EtcdProcess.start();
  const store = new EtcdStore({ hosts: [etcd.host] });
  const abort = new AbortController();
  const cluster = new ClusterWatch({ store, clock: systemClock, logger: silentLogger, relistMs: 60_000, random: Math.random });
  const running = cluster.run(abort.signal).catch((error: unknown) => error);
  const web = service();
  const putTask = (id: string): Operation => ({ kind: 'put', key: buildKey({ kind: 'task', id: taskId(id) }), value: encodeTask(task(web, 'n1', { id: taskId(id) })) });
  try {
    await cluster.ready(abort.signal);
    etcd.freeze();
    let startedAtMs = 0;
    await t.throwsAsync(async () => {
      // Its threads stop one after the other: the first call may still be answered.
      for (;;) {
        startedAtMs = performance.now();
        await store.get('/gantry/v1/leader');
      }
    }, { message: /not reachable/ });
    t.true(performance.now() - startedAtMs < BUSY_LIMIT_MS);
    etcd.thaw();
    const outcome = await store.transact([], [putTask('a')]);
    await cluster.waitFor(outcome.etcdRevision, AbortSignal.timeout(BUSY_LIMIT_MS));
    t.true(cluster.current.tasks.has(taskId('a')));
  } finally {
    abort.abort(new Error('over'));
    await running;
    store.close();
    await etcd.remove();
  }
});

test.serial('needs etcd: B3 compaction past a controller that was away: its picture soon equals a fresh list, deletes included', async t => {
  const etcd = await EtcdProcess.start();
  const relay = await TcpRelay.start({ host: '127.0.0.1', upstream: { host: '127.0.0.1', port: Number(new URL(etcd.host).port) } });
  const [store, other, compacter] = [new EtcdStore({ hosts: [`http://127.0.0.1:${String(relay.port)}`] }), new EtcdStore({ hosts: [etcd.host] }), new Etcd3({ hosts: etcd.host })];
  const abort = new AbortController();
  const web = service();
  const key = (index: number): string => buildKey({ kind: 'task', id: taskId(letters(index)) });
  const value = (index: number): Uint8Array => encodeTask(task(web, 'n1', { id: taskId(letters(index)) }));
  const told: unknown[] = [];
  const logger = { ...silentLogger, warn: (fields: object) => { told.push((fields as { readonly err?: unknown }).err); } };
  // No list of its own is due in this test.
  const cluster = new ClusterWatch({ store, clock: systemClock, logger, relistMs: 600_000, random: Math.random });
  await other.transact([], Array.from({ length: 100 }, (_, index): Operation => ({ kind: 'put', key: key(index), value: value(index) })));
  const running = cluster.run(abort.signal).catch((error: unknown) => error);
  try {
    await cluster.ready(abort.signal);
    t.is(cluster.current.tasks.size, 100);
    // Its watch is there: etcd would tell it of what comes now.
    const seen = await other.transact([], [{ kind: 'put', key: key(99), value: value(99) }]);
    await cluster.waitFor(seen.etcdRevision, AbortSignal.timeout(60_000));
    relay.silence();
    await other.transact([], Array.from({ length: 60 }, (_, index): Operation => ({ kind: 'delete', key: key(index) })));
    // Only what is older than the revision given is gone.
    const outcome = await other.transact([], [{ kind: 'delete', key: key(60) }]);
    await compacter.kv.compact({ revision: outcome.etcdRevision });
    t.is(cluster.current.etcdRevision, seen.etcdRevision, 'it saw nothing of that');
    relay.heal();
    await cluster.waitFor(outcome.etcdRevision, AbortSignal.timeout(60_000));
    t.deepEqual([...cluster.current.tasks.keys()].sort(), Array.from({ length: 39 }, (_, index) => taskId(letters(61 + index))).sort());
    t.true(told.some(error => error instanceof CompactedError), 'by what etcd said');
  } finally {
    abort.abort(new Error('over'));
    await running;
    compacter.close();
    other.close();
    store.close();
    await relay.close();
    await etcd.remove();
  }
});

test.serial('needs etcd: B4 an etcd that is full says RESOURCE_EXHAUSTED, and takes deletes', async t => {
  const etcd = await EtcdProcess.start(['--quota-backend-bytes', String(4 * 1024 * 1024)]);
  const store = new EtcdStore({ hosts: [etcd.host] });
  try {
    const big = (index: number): Operation => ({ kind: 'put', key: `/big/${String(index)}`, value: new Uint8Array(500_000) });
    const error = await t.throwsAsync(async () => {
      for (let index = 0; index < 100; index += 1) {
        await store.transact([], [big(index)]);
      }
    });
    t.like(error, { name: 'ClusterError', code: 'RESOURCE_EXHAUSTED' });
    t.is((await store.transact([], [{ kind: 'delete', key: '/big/0' }])).kind, 'committed');
  } finally {
    store.close();
    await etcd.remove();
  }
});

test.serial('needs etcd: B4 three members full of history: leases and deletes go on, and the space loop makes room, one member at a time', async t => {
  const members = await EtcdProcess.startMembers(3, ['--quota-backend-bytes', String(QUOTA_BYTES)]);
  const access = { hosts: members.map(member => member.host) };
  const [store, keeper, clock, over] = [new EtcdStore(access), new EtcdSpaceStore(access), new FakeClock(), new AbortController()];
  const write = async (bytes: number): Promise<unknown> => await store.transact([], [{ kind: 'put', key: '/one', value: new Uint8Array(bytes) }]);
  const defragmented: string[] = [];
  let under = 0;
  const defragment = async (host: string): Promise<void> => {
    under += 1;
    t.is(under, 1, 'one member at a time');
    defragmented.push(host);
    await keeper.defragment(host);
    under -= 1;
  };
  const loop = new SpaceLoop({
    clock, logger: silentLogger, mayReclaim: () => true, random: () => 0.5,
    keeper: { read: async () => await keeper.read(), compact: async revision => { await keeper.compact(revision); }, disarm: async () => { await keeper.disarm(); }, defragment },
  });
  const running = loop.run(over.signal).catch((error: unknown) => error);
  try {
    const lease = await store.grantLease(60_000);
    await t.throwsAsync(async () => { for (let index = 0; index < 100; index += 1) await write(500_000); }, { message: /space exceeded/ });
    await store.renewLease(lease);
    t.is((await store.transact([], [{ kind: 'delete', key: '/absent' }])).kind, 'committed');
    await t.throwsAsync(store.grantLease(60_000), { message: /space exceeded/ });
    const full = await keeper.read();
    t.true(full.isOutOfSpace);
    t.deepEqual(full.members.map(one => one.quotaBytes), [QUOTA_BYTES, QUOTA_BYTES, QUOTA_BYTES]);
    await eventually('room', 60_000, async () => {
      await clock.advance(10_000);
      return await write(1).then(() => true, () => false);
    });
    t.deepEqual([...new Set(defragmented)].sort(), [...access.hosts].sort());
    const after = await keeper.read();
    t.false(after.isOutOfSpace);
    t.true(after.members.every(one => one.sizeBytes < QUOTA_BYTES / 2), JSON.stringify(after));
    await store.renewLease(lease);
  } finally {
    over.abort(new Error('over'));
    await running;
    keeper.close();
    store.close();
    await Promise.all(members.map(async member => { await member.remove(); }));
  }
});

test.serial('needs etcd: B6 of three members one stands still: reads, renewals and watches go on with the others; B7 with two dead it is said soon', async t => {
  const members = await EtcdProcess.startMembers(3);
  const stores = members.map(() => new EtcdStore({ hosts: members.map(member => member.host) }));
  const [store, other] = [stores[0]!, stores[1]!];
  // Sets: a write whose answer was lost is made again, and seen twice.
  const seen = stores.map(() => new Set<string>());
  const over = new AbortController();
  const watches = stores.map(async (one, index) => {
    for await (const batch of one.watch('/w/', 0, over.signal)) batch.changes.forEach(change => { seen[index]?.add(keyOf(change)); });
  });
  try {
    for (const member of members) {
      const lease = await store.grantLease(60_000);
      // Whichever members the stores ask, one of these is the one that stops.
      member.freeze();
      try {
        const useAll = async (): Promise<void> => {
          await Promise.all(stores.map(async one => {
            await one.renewLease(lease);
            await one.list('/w/');
          }));
        };
        // The others may have to elect a leader first.
        await eventually('an answer', BUSY_LIMIT_MS, async () => await useAll().then(() => true));
        await t.notThrowsAsync(manyTimes(useAll));
        const written = await eventually('a write', BUSY_LIMIT_MS, async () => await other.transact([], [put(`/w/${member.host}`)]).catch(() => undefined));
        t.is(written.kind, 'committed');
        await eventually('every watch to see it', BUSY_LIMIT_MS, () => seen.every(keys => keys.has(`/w/${member.host}`)));
      } finally {
        member.thaw();
      }
      // One more that is behind would leave no majority.
      await eventually('it answers again', 60_000, async () => await isCaughtUp(member.host));
    }
    await Promise.all(members.slice(1).map(async member => { await member.kill(); }));
    await t.throwsAsync(async () => {
      for (;;) await store.transact([], [put('/w/late')]);
    }, { message: /not reachable|etcd write: / });
    await Promise.all(members.slice(1).map(async member => { await member.start(); }));
    t.is((await eventually('a write', 60_000, async () => await store.transact([], [put('/w/late')]).catch(() => undefined))).kind, 'committed');
  } finally {
    over.abort(new Error('over'));
    await Promise.allSettled(watches);
    stores.forEach(one => { one.close(); });
    await Promise.all(members.map(async member => { await member.remove(); }));
  }
});

async function manyTimes(body: () => Promise<void>): Promise<void> {
  for (let round = 0; round < 20; round += 1) await body();
}

/** It answers a read that asks the whole etcd. */
async function isCaughtUp(host: string): Promise<boolean> {
  const store = new EtcdStore({ hosts: [host] });
  try {
    await store.list('/w/');
    return true;
  } finally {
    store.close();
  }
}

test.serial('needs etcd: with TLS a certificate of the authority is let in, none is not', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-etcd-tls-'));
  const authority = await createAuthority('test', Date.now());
  const pair = await issueCertificate(authority, { role: 'controller', name: 'c1', dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] }, { nowMs: Date.now() });
  const files = { caFile: join(directory, 'ca.pem'), certificateFile: join(directory, 'certificate.pem'), keyFile: join(directory, 'key.pem') };
  await writeFile(files.caFile, authority.certificatePem);
  await writeFile(files.certificateFile, pair.certificatePem);
  await writeFile(files.keyFile, pair.keyPem);
  const etcd = await EtcdProcess.start([], files);
  const tls = { caPem: Buffer.from(authority.certificatePem), certificatePem: Buffer.from(pair.certificatePem), keyPem: Buffer.from(pair.keyPem) };
  const [store, stranger] = [new EtcdStore({ hosts: [etcd.host], tls }), new EtcdStore({ hosts: [etcd.host] })];
  try {
    t.is((await store.transact([], [put('/k')])).kind, 'committed');
    await t.throwsAsync(stranger.get('/k'), { message: /not reachable/ });
  } finally {
    store.close();
    stranger.close();
    await etcd.remove();
    await rm(directory, { recursive: true, force: true });
  }
});

test.serial('needs etcd: etcd and a store live through three lives of their certificates, which are signed again beside them', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-etcd-lives-'));
  const authority = await createAuthority('test etcd', Date.now());
  await writeFile(join(directory, 'etcd-ca-key.pem'), authority.keyPem);
  const filesOf = (folder: string) => ({ caFile: join(directory, folder, 'ca.pem'), certificateFile: join(directory, folder, 'certificate.pem'), keyFile: join(directory, folder, 'key.pem') });
  for (const [folder, role] of [['etcd', 'server'], ['etcd-client', 'controller']] as const) {
    const pair = await issueCertificate(authority, { role, name: folder, dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] }, { nowMs: Date.now(), ttlMs: 4_000 });
    await mkdir(join(directory, folder));
    const { caFile, certificateFile, keyFile } = filesOf(folder);
    await Promise.all([writeFile(caFile, authority.certificatePem), writeFile(certificateFile, pair.certificatePem), writeFile(keyFile, pair.keyPem)]);
  }
  const client = filesOf('etcd-client');
  const readTls = async () => ({ caPem: await readFile(client.caFile), certificatePem: await readFile(client.certificateFile), keyPem: await readFile(client.keyFile) });
  const etcd = await EtcdProcess.start([], filesOf('etcd'));
  const firstTls = await readTls();
  const [store, forgetful] = [new EtcdStore({ hosts: [etcd.host], tls: firstTls }), new EtcdStore({ hosts: [etcd.host], tls: firstTls })];
  const seen = new Map<string, Set<string>>();
  const over = new AbortController();
  const loop: MachineCertificatesLoop = new MachineCertificatesLoop({
    configDir: directory, clock: systemClock, log: silentLogger,
    refresh: async () => {
      for (const { folder, certificatePem } of loop.certificates) seen.set(folder, (seen.get(folder) ?? new Set()).add(certificatePem));
      store.useTls(await readTls());
    },
  });
  const running = loop.run(over.signal);
  try {
    t.deepEqual(await untilNone(() => ['etcd', 'etcd-client'].filter(folder => (seen.get(folder)?.size ?? 0) < 6)), [], 'five renewals at two thirds of a life are more than three lives');
    await eventually('a write', 30_000, async () => (await store.transact([], [put('/k')])).kind === 'committed');
    await t.throwsAsync(forgetful.get('/k'), undefined, 'a client that keeps the first certificate is refused');
  } finally {
    over.abort();
    await running;
    store.close();
    forgetful.close();
    await etcd.remove();
    await rm(directory, { recursive: true, force: true });
  }
});
