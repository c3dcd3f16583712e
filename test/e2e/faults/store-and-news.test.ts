import test from 'ava';
import { requireCommand } from '#kit/command-process.ts';
import { eventually } from '../../support/dev-cluster.ts';
import { webApp } from '../../support/fault-apps.ts';
import { FaultBench, lasting } from '../../support/fault-bench.ts';
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
  const violations = await bench.violations();
  const left = await bench.close();
  t.deepEqual(violations, []);
  t.deepEqual(left, []);
});

/** Kills with -9; the supervisor starts each again after a second. */
async function killAndWait(...names: readonly string[]): Promise<void> {
  const before = names.map(name => bench.cluster.process(name).pid);
  names.forEach(name => { bench.kill(name); });
  for (const [index, name] of names.entries()) {
    await bench.running(name, before[index]);
  }
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
    await eventually('a write through the API', 3_000, async () => (await bench.cluster.tryCtl('scale', 'load/web=3')).exitCode === 0);
  });
});

test.serial('B2: etcd stopped for 2 x LOST: nothing replaced, though every lease ends (root)', async t => {
  await unnoticed(t, bench, PORT, async () => {
    await bench.freeze('etcd');
    await lasting(2 * LOST_MS);
    await bench.heal('etcd');
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
    const pki = `${bench.cluster.layout.stateDir}/pki/etcd-client`;
    await requireCommand('etcdctl', ['--endpoints', `https://127.0.0.1:${String(bench.cluster.layout.etcdPort)}`, '--cacert', `${pki}/ca.pem`,
      '--cert', `${pki}/certificate.pem`, '--key', `${pki}/key.pem`, 'compact', String(revision)]);
    // Its stream must break: what etcd sent before still waits in the socket.
    await killAndWait('etcd');
  } finally {
    await bench.heal(follower);
  }
  await eventually('both controllers to show the same', 10_000, async () => {
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

test.serial('through all of it, names resolved inside tasks (root)', async t => {
  for (const watcher of await bench.live('default/load/watcher')) {
    const logs = await bench.cluster.ctl('logs', watcher.id);
    t.regex(logs, /^begun/);
    t.notRegex(logs, /BAD/);
  }
});
