import test from 'ava';
import type { ExecutionContext } from 'ava';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAuthority, issueCertificate } from '#identity/certificate-authority.ts';
import type { KeyPair } from '#identity/certificate-authority.ts';
import { appId } from '#model/ids.ts';
import { TEST_TIMES } from '#model/times.ts';
import { EtcdStore } from '../../controller/store/etcd-store.ts';
import { buildKey, prefixOf } from '../../controller/store/keys.ts';
import type { Operation } from '../../controller/store/ports.ts';
import {
  decodeControllerRecord, decodeLedger, encodeApp, encodeNode, encodeService, encodeSessionRecord,
} from '../../controller/store/records.ts';
import { app, node, service } from '../support/builders.ts';
import { eventually } from '../support/dev-cluster.ts';
import { EtcdProcess } from '../support/etcd-process.ts';
import { freePort } from '../support/free-port.ts';

const MAIN = new URL('../../controller/main.ts', import.meta.url).pathname;
const LEADER = buildKey({ kind: 'leader' });
/** For a controller to start on a busy machine. */
const START_LIMIT_MS = 60_000;
/** For another to lead: LEASE + 3 s where nothing else runs. */
const LEAD_LIMIT_MS = TEST_TIMES.leaseMs + 12_000;

interface Controller {
  readonly id: string;
  readonly metricsPort: number;
  readonly child: ChildProcess;
}

interface Bench {
  readonly etcd: EtcdProcess;
  readonly store: EtcdStore;
  readonly controllers: Map<string, Controller>;
  readonly authority: KeyPair;
  readonly start: (id: string) => Promise<void>;
}

async function withControllers(t: ExecutionContext, body: (bench: Bench) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-controllers-'));
  const etcd = await EtcdProcess.start();
  const store = new EtcdStore({ hosts: [etcd.host] });
  const authority = await createAuthority('test', Date.now());
  const controllers = new Map<string, Controller>();
  const start = async (id: string): Promise<void> => {
    const pair = await issueCertificate(authority, { role: 'controller', name: id, dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] }, { nowMs: Date.now() });
    await Promise.all([
      writeFile(join(directory, 'ca.pem'), authority.certificatePem), writeFile(join(directory, 'certificate.pem'), pair.certificatePem),
      writeFile(join(directory, 'key.pem'), pair.keyPem), writeFile(join(directory, 'secrets.key'), '07'.repeat(32)),
      writeFile(join(directory, 'ca-key.pem'), authority.keyPem),
    ]);
    const [port, metricsPort] = [await freePort(), await freePort()];
    const child = spawn(process.execPath, [
      MAIN, '--id', id, '--listen', `127.0.0.1:${String(port)}`, '--metrics-listen', `127.0.0.1:${String(metricsPort)}`, '--etcd', etcd.host,
      '--config-dir', directory, '--times', 'test', '--log-level', 'warn',
    ], { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.setEncoding('utf8').on('data', (text: string) => { t.log(`${id}: ${text.trim()}`); });
    controllers.set(id, { id, metricsPort, child });
  };
  try {
    await body({ etcd, store, controllers, authority, start });
  } finally {
    await Promise.all([...controllers.values()].map(({ child }) => end(child, 'SIGKILL')));
    store.close();
    await etcd.remove();
    await rm(directory, { recursive: true, force: true });
  }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }
  return child.exitCode;
}

/** The leader that `isIt` accepts, within the time. */
async function leader(store: EtcdStore, limitMs: number, isIt: (id: string, epoch: number) => boolean): Promise<{ readonly id: string; readonly epoch: number; readonly afterMs: number }> {
  const startedAtMs = performance.now();
  for (;;) {
    const entry = await store.get(LEADER);
    const found = entry === undefined ? undefined : { id: decodeControllerRecord(entry.value).id, epoch: entry.createRevision };
    const afterMs = performance.now() - startedAtMs;
    if (found !== undefined && isIt(found.id, found.epoch)) {
      return { ...found, afterMs };
    }
    if (afterMs > limitMs) {
      throw new Error(`no such leader within ${String(limitMs)} ms`);
    }
    await sleep(50);
  }
}

/** Waits until so many controllers have their records. */
async function registered(store: EtcdStore, count: number): Promise<void> {
  await eventually(`${String(count)} controllers`, START_LIMIT_MS, async () => (await store.list(prefixOf('controller'))).entries.length === count);
}

async function page(port: number, path: string, tls: { readonly ca: string; readonly cert?: string; readonly key?: string }): Promise<{ readonly status: number; readonly body: string }> {
  return await new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, ...tls }, response => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => { body += text; }).on('end', () => { resolve({ status: response.statusCode ?? 0, body }); });
    }).on('error', reject);
  });
}

test.serial('needs etcd: A1 the leader is killed, the other leads soon after LEASE; A2 a leader that stood still leads no more', async t => {
  await withControllers(t, async ({ store, controllers, start }) => {
    await Promise.all([start('c1'), start('c2')]);
    const first = await leader(store, START_LIMIT_MS, () => true);
    await registered(store, 2);
    await end(controllers.get(first.id)!.child, 'SIGKILL');
    const second = await leader(store, LEAD_LIMIT_MS, id => id !== first.id);
    t.true(second.epoch > first.epoch);

    await start(first.id);
    const frozen = controllers.get(second.id)!.child;
    frozen.kill('SIGSTOP');
    const third = await leader(store, LEAD_LIMIT_MS, id => id !== second.id);
    t.true(third.epoch > second.epoch);
    frozen.kill('SIGCONT');
    await sleep(1_000);
    t.deepEqual((await leader(store, START_LIMIT_MS, () => true)).epoch, third.epoch);
    t.is(await end(controllers.get(third.id)!.child, 'SIGTERM'), 0);
    t.not((await store.get(LEADER))?.createRevision, third.epoch, 'it gave its leadership up');
    const fourth = await leader(store, START_LIMIT_MS, id => id === second.id);
    t.true(fourth.epoch > third.epoch);
  });
});

test.serial('needs etcd: metrics, targets and health are served to certificates of the cluster only; B1 etcd is killed and started, the leader leads on', async t => {
  await withControllers(t, async ({ etcd, store, controllers, authority, start }) => {
    await start('c1');
    await leader(store, START_LIMIT_MS, () => true);
    const { metricsPort } = controllers.get('c1')!;
    const operator = await issueCertificate(authority, { role: 'operator', name: 'o', dnsNames: [], ipAddresses: [] }, { nowMs: Date.now() });
    const tls = { ca: authority.certificatePem, cert: operator.certificatePem, key: operator.keyPem };
    // 503 until etcd was read, and again where that took long.
    const health = await eventually('health', START_LIMIT_MS, async () => {
      const now = await page(metricsPort, '/healthz', tls);
      return now.status === 200 && now;
    });
    t.is(health.body, 'ok\n');
    t.true(await eventually('a page that tells who leads', START_LIMIT_MS, async () => (await page(metricsPort, '/metrics', tls)).body.includes('gantry_leader 1')));
    const targets = await eventually('targets', START_LIMIT_MS, async () => {
      const { body } = await page(metricsPort, '/sd', tls);
      return body !== '[]' && body;
    });
    t.deepEqual(JSON.parse(targets), [{ targets: [`127.0.0.1:${String(metricsPort)}`], labels: { job: 'gantry-controller', controller: 'c1' } }]);
    t.is((await page(metricsPort, '/other', tls)).status, 404);
    await t.throwsAsync(page(metricsPort, '/metrics', { ca: authority.certificatePem }));

    await etcd.kill();
    await sleep(TEST_TIMES.leaseMs);
    t.is(controllers.get('c1')!.child.exitCode, null);
    await etcd.start();
    // Its key is on the disk, and has its whole LEASE again. Source: etcd, server/lease/lessor.go, Promote()
    await sleep(2 * TEST_TIMES.leaseMs);
    await leader(store, LEAD_LIMIT_MS, id => id === 'c1');
    t.true(await eventually('a page that tells who leads', START_LIMIT_MS, async () => (await page(metricsPort, '/metrics', tls)).body.includes('gantry_leader 1')));
    await store.transact([], oneNodeService(3));
    t.is((await tasks(store, 3)).length, 3, 'and it leads');
    t.is(controllers.get('c1')!.child.exitCode, null);
  });
});

test.serial('needs etcd: a service that is in etcd gets its tasks, with their ledger, and keeps them when the leader is killed', async t => {
  await withControllers(t, async ({ store, controllers, start }) => {
    await Promise.all([start('c1'), start('c2')]);
    const first = await leader(store, START_LIMIT_MS, () => true);
    await registered(store, 2);
    await store.transact([], oneNodeService(5));
    const born = await tasks(store, 5);
    const ledger = await store.get(buildKey({ kind: 'ledger', id: node('n1').id }));
    t.is(decodeLedger(ledger!.value).requests.milliCpu, 5 * service().spec.container.requests.milliCpu);
    await end(controllers.get(first.id)!.child, 'SIGKILL');
    await leader(store, LEAD_LIMIT_MS, id => id !== first.id);
    await sleep(TEST_TIMES.leaseMs);
    t.deepEqual(await tasks(store, 5), born);
  });
});

/** A node with a session, and a service that wants so many tasks. */
function oneNodeService(replicas: number): readonly Operation[] {
  const [n1, web] = [node('n1'), service({ replicas })];
  return [
    { kind: 'put', key: buildKey({ kind: 'node', id: n1.id }), value: encodeNode(n1) },
    { kind: 'put', key: buildKey({ kind: 'session', id: n1.id }), value: encodeSessionRecord({ node: n1.id, sessionId: 's', controllerId: 'c1', openedAtMs: Date.now(), instanceNonce: '' }) },
    { kind: 'put', key: buildKey({ kind: 'service', id: web.id }), value: encodeService(web) },
    { kind: 'put', key: buildKey({ kind: 'app', id: appId('default', 'shop') }), value: encodeApp(app('shop')) },
  ];
}

/** The task keys, once there are so many. */
async function tasks(store: EtcdStore, count: number): Promise<readonly string[]> {
  return await eventually(`${String(count)} tasks`, START_LIMIT_MS, async () => {
    const keys = (await store.list(prefixOf('task'))).entries.map(entry => `${entry.key}@${String(entry.modRevision)}`);
    return keys.length === count && keys;
  });
}
