import { readFileSync, writeFileSync } from 'node:fs';
import test from 'ava';
import { issueCertificate } from '#identity/certificate-authority.ts';
import { requireCommand } from '#kit/command-process.ts';
import { buildKey, prefixOf } from '../../../controller/store/keys.ts';
import { eventually } from '../../support/dev-cluster.ts';
import { webApp } from '../../support/fault-apps.ts';
import { FaultBench, lasting } from '../../support/fault-bench.ts';
import { writeKeyPair } from '../../../cli/dev/keys-fs.ts';
import { freePort } from '../../support/free-port.ts';
import { NatsProxy } from '../../support/nats-proxy.ts';
import type { NatsFault } from '../../support/nats-proxy.ts';
import { unnoticed } from '../../support/unnoticed.ts';

/** LOST of `--times test`. */
const LOST_MS = 4_000;
const PORT = 18_231;

let bench: FaultBench;

test.before(async () => {
  bench = await FaultBench.up();
  await bench.cluster.apply(webApp({ port: PORT, replicas: 3 }), '--wait');
});

test.after.always('nothing is left, and nothing that must hold was violated', async t => {
  t.deepEqual(await bench.end(), []);
});

/** Kills with -9; the supervisor starts each again after a second. */
async function killAndWait(...names: readonly string[]): Promise<void> {
  const before = names.map(name => bench.cluster.process(name).pid);
  names.forEach(name => { bench.kill(name); });
  for (const [index, name] of names.entries()) {
    await bench.running(name, before[index]);
  }
}

async function etcdctl(...args: readonly string[]): Promise<string> {
  const pki = `${bench.cluster.layout.stateDir}/pki/etcd-client`;
  return await requireCommand('etcdctl', ['--endpoints', `https://127.0.0.1:${String(bench.cluster.layout.etcdPort)}`, '--cacert', `${pki}/ca.pem`,
    '--cert', `${pki}/certificate.pem`, '--key', `${pki}/key.pem`, ...args]);
}

test.serial('show 5: an agent, every controller, etcd, NATS, then all at once killed: nobody notices, and scale works after (root)', async t => {
  await unnoticed(t, bench, PORT, async () => {
    await killAndWait('n1');
    await killAndWait('c1', 'c2');
    await killAndWait('etcd');
    await killAndWait('nats');
    await bench.heard();
    await killAndWait('n1', 'n2', 'n3', 'c1', 'c2', 'etcd', 'nats');
  });
  await bench.cluster.ctl('scale', 'load/web=4', '--wait');
  await bench.cluster.ctl('scale', 'load/web=3', '--wait');
});

test.serial('B1: etcd killed, back after 8 s: nothing replaced, the API answers within 3 s (root)', async t => {
  await unnoticed(t, bench, PORT, async () => {
    await bench.down('etcd');
    await lasting(8_000);
    await bench.start('etcd');
    await bench.history.catchUp();
    await eventually('a write through the API', 3_000, async () => (await bench.cluster.tryCtl('scale', 'load/web=3')).exitCode === 0);
  });
});

test.serial('B2: etcd stopped for 2 x LOST: nothing replaced, though every lease ends (root)', async t => {
  const revision = await bench.history.catchUp();
  await unnoticed(t, bench, PORT, async () => {
    await bench.freeze('etcd');
    await lasting(2 * LOST_MS);
    await bench.heal('etcd');
  });
  await eventually('the leader and both controllers to be there anew', 60_000, async () => {
    const { entries } = await bench.history.store.list([buildKey({ kind: 'leader' }), prefixOf('controller')]);
    return entries.length === 3 && entries.every(entry => entry.createRevision > revision);
  });
});

test.serial('B3: compacted past a watcher that stood still: it lists again and shows the same, deletes too (root)', async t => {
  const leader = await bench.leader();
  const follower = bench.cluster.layout.controllers.map(one => one.name).find(name => name !== leader) ?? '';
  await bench.freeze(follower);
  try {
    await bench.cluster.ctl('scale', 'load/web=5', '--wait');
    await bench.cluster.ctl('scale', 'load/web=3', '--wait');
    const revision = await bench.history.catchUp();
    await etcdctl('compact', String(revision));
    // Its stream must break: what etcd sent before still waits in the socket.
    await killAndWait('etcd');
  } finally {
    await bench.heal(follower);
  }
  await eventually('both controllers to show the same', 60_000, async () => {
    const [one, other] = await Promise.all([bench.viewOf(leader), bench.viewOf(follower)]);
    return JSON.stringify(one.tasks.map(view => [view.task.id, view.state])) === JSON.stringify(other.tasks.map(view => [view.task.id, view.state]));
  });
  await bench.heard();
  await bench.settled();
  t.is((await bench.live('default/load/web')).length, 3);
});

test.serial('C1: NATS down: a deploy runs within 15 s; C4: back, nothing changes (root)', async t => {
  await bench.down('nats');
  const deploy = performance.now();
  await bench.cluster.ctl('scale', 'load/web=5', '--wait');
  t.true(performance.now() - deploy < 15_000);
  await bench.cluster.ctl('scale', 'load/web=3', '--wait');
  await unnoticed(t, bench, PORT, async () => { await bench.start('nats'); });
});

/** A directory with what a controller shows to NATS, and what NATS shows to a controller. */
async function proxyIdentity(stateDir: string, host: string): Promise<string> {
  const [certificatePem, keyPem] = ['ca.pem', 'ca-key.pem'].map(file => readFileSync(`${stateDir}/pki/${file}`, 'utf8')) as [string, string];
  const directory = `${stateDir}/nats-proxy`;
  await writeKeyPair(directory, certificatePem, await issueCertificate({ certificatePem, keyPem }, { role: 'controller', name: 'proxy', dnsNames: ['localhost'], ipAddresses: [host] }, { nowMs: Date.now() }));
  return directory;
}

test.serial('C2: what NATS carries is lost, doubled, reordered and late: each task is started once, all ends as wanted (root)', async t => {
  const { stateDir, hostAddress: host, natsPort: port } = bench.cluster.layout;
  const configFile = `${stateDir}/nats/nats.conf`;
  const config = readFileSync(configFile, 'utf8');
  const upstreamPort = await freePort();
  writeFileSync(configFile, config.replace(`:${String(port)}"`, `:${String(upstreamPort)}"`));
  await killAndWait('nats');
  const faults: readonly NatsFault[] = ['pass', 'lose', 'double', 'reorder', 'late'];
  const proxy = await NatsProxy.start({ host, port, upstreamPort, identityDir: await proxyIdentity(stateDir, host), decide: index => faults[index % faults.length] ?? 'pass' });
  try {
    await eventually('messages through the proxy', 60_000, () => proxy.counts.late >= 5);
    const revision = await bench.settled();
    const { length: startsBefore } = allStarts();
    await bench.cluster.ctl('scale', 'load/web=5', '--wait');
    await unnoticed(t, bench, PORT, async () => {
      const { late } = proxy.counts;
      await eventually('more of each fault', 60_000, () => proxy.counts.late >= late + 5);
      t.true(proxy.release() > 5);
    });
    t.is(allStarts().length, startsBefore + 2);
    await bench.cluster.ctl('scale', 'load/web=3', '--wait');
    await bench.settled();
    t.is((await bench.live('default/load/web')).length, 3);
    t.is((await bench.tasksSince(revision)).length, 2);
    t.true(Object.values(proxy.counts).every(count => count > 5), JSON.stringify(proxy.counts));
  } finally {
    await proxy.close();
    writeFileSync(configFile, config);
    await killAndWait('nats');
  }
});

const allStarts = (): readonly unknown[] => bench.cluster.layout.nodes.flatMap(node => bench.startsOn(node.name));

/** etcd's own smallest useful one. */
const QUOTA_BYTES = 16 * 1024 * 1024;
const FILLER_BYTES = 900_000;

test.serial('B4: the space of etcd is used up: that is said, deletes work, nothing is lost; with room again, writes pass without an operator (root)', async t => {
  bench.environment('etcd', { ETCD_QUOTA_BACKEND_BYTES: String(QUOTA_BYTES) });
  await killAndWait('etcd');
  // The leader compacts once etcd is full: what it takes away from this history is what it takes away from a mirror.
  await bench.history.catchUp();
  bench.history.mayBeCompacted = true;
  const { store } = bench.history;
  const fillers: string[] = [];
  await unnoticed(t, bench, PORT, async () => {
    const full = await eventually('no space', 60_000, async () => {
      const key = `/filler/${String(fillers.length)}`;
      fillers.push(key);
      return await store.transact([], [{ kind: 'put', key, value: new Uint8Array(FILLER_BYTES) }]).then(() => undefined, (error: unknown) => error as Error);
    });
    t.like(full, { code: 'RESOURCE_EXHAUSTED' });
    const refused = await bench.cluster.tryCtl('scale', 'load/web=5');
    t.not(refused.exitCode, 0);
    t.regex(refused.stderr, /etcd refuses: its space is used up \(.*space exceeded\); raise --quota-backend-bytes/);
    await lasting(2 * LOST_MS);
    for (const key of fillers) {
      t.is((await store.transact([], [{ kind: 'delete', key }])).kind, 'committed');
    }
    // The leader compacts, defragments and disarms; the test runs no etcdctl.
    await eventually('a write through the API', 120_000, async () => (await bench.cluster.tryCtl('scale', 'load/web=3')).exitCode === 0);
  });
  await bench.cluster.ctl('scale', 'load/web=4', '--wait');
  await bench.cluster.ctl('scale', 'load/web=3', '--wait');
  bench.clearEnvironment('etcd');
  await killAndWait('etcd');
  await bench.heard();
  await bench.history.catchUp();
  bench.history.mayBeCompacted = false;
});

test.serial('through all of it, names resolved inside tasks (root)', async t => {
  for (const watcher of await bench.live('default/load/watcher')) {
    // An agent may be on its way from one controller to the other.
    const logs = await eventually('its log', 60_000, async () => {
      const { exitCode, stdout } = await bench.cluster.tryCtl('logs', watcher.id);
      return exitCode === 0 && stdout;
    });
    t.regex(logs, /^begun/);
    t.notRegex(logs, /BAD/);
  }
});
