/** Rows of the disk under etcd: B9, B10, B11, and B13, a store that is another one (needs root). */
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import test from 'ava';
import { requireCommand } from '#kit/command-process.ts';
import { TEST_TIMES } from '#model/times.ts';
import { eventually } from '../../../support/dev-cluster.ts';
import { webApp } from '../../../support/fault-apps.ts';
import { FaultBench, lasting } from '../../../support/fault-bench.ts';
import { freePort } from '../../../support/free-port.ts';
import { mountLoopDisk, unmountDisk, whyNoLoopDisk } from '../../../support/loop-disk.ts';
import { identityOf } from '../../../support/node-faults.ts';
import { SideProcess } from '../../../support/side-process.ts';
import { unnoticed } from '../../../support/unnoticed.ts';

/** B9 says 60 s. */
const SLOW_MS = 30_000;
/** B9 says 1.5 s, for a LEASE of 10 s: its share of that of these times. */
const SLOW_SYNC_US = 150 * TEST_TIMES.leaseMs;
/** etcd makes its log anew in files of 64 MB each. */
const DISK_MIB = 256;

let bench: FaultBench;
let port: number;

test.before(async () => {
  bench = await FaultBench.up();
  port = await freePort();
  await bench.cluster.apply(webApp({ port, replicas: 3 }), '--wait');
});

test.after.always('nothing is left, and nothing that must hold was violated', async t => {
  t.deepEqual(await bench.end(), []);
});

const etcdPid = (): number => bench.cluster.process('etcd').pid ?? 0;

/** Each fdatasync of etcd ends as `how` says. */
async function strace(how: string): Promise<SideProcess> {
  const tracer = new SideProcess('strace', '-f', '-qq', '-e', 'trace=fdatasync', '-e', `inject=fdatasync:${how}`, '-e', 'signal=none', '-o', '/dev/null', '-p', String(etcdPid()));
  await eventually('strace to hold etcd', 60_000, async () => !/^TracerPid:\s+0$/m.test(await requireCommand('cat', [`/proc/${String(etcdPid())}/status`])));
  return tracer;
}

async function writable(): Promise<void> {
  await eventually('a write through the API', 60_000, async () => (await bench.cluster.tryCtl('scale', 'load/web=3')).exitCode === 0);
}

/** etcd ends, `change` of what it holds, etcd again. */
async function whileDown(change: () => Promise<void> | void): Promise<void> {
  const pid = etcdPid();
  await bench.down('etcd');
  await eventually('etcd gone', 60_000, () => identityOf(pid) === '');
  await change();
  await bench.start('etcd');
}

test.serial('B9: each fdatasync of etcd takes a seventh of LEASE: the same leader, no node is lost, writes are only late (root)', async t => {
  await bench.leader();
  const { epoch } = bench.history.now();
  await unnoticed(t, bench, port, async () => {
    const tracer = await strace(`delay_enter=${String(SLOW_SYNC_US)}`);
    try {
      const startedAtMs = performance.now();
      await bench.cluster.ctl('scale', 'load/web=3');
      t.true(performance.now() - startedAtMs >= SLOW_SYNC_US / 1_000, 'it is slow');
      await lasting(SLOW_MS);
      await bench.leader();
      t.is(bench.history.now().epoch, epoch);
    } finally {
      await tracer.end();
    }
  });
});

test.serial('B10: fdatasync of etcd fails: etcd ends, and is back; nobody notices (root)', async t => {
  await unnoticed(t, bench, port, async () => {
    const pid = etcdPid();
    const tracer = await strace('error=EIO');
    try {
      await bench.cluster.tryCtl('scale', 'load/web=3');
      await eventually('etcd to end', 60_000, () => identityOf(pid) === '');
    } finally {
      await tracer.end();
    }
    await bench.running('etcd', pid);
    await writable();
  });
});

const whyNoDisk = whyNoLoopDisk();
test.serial(`B11: the disk under etcd is full: that is said, nobody else notices; with space again all is as it was${whyNoDisk === undefined ? '' : `: ${whyNoDisk}`} (root)`, async t => {
  const { stateDir } = bench.cluster.layout;
  const [data, image, filler] = [`${stateDir}/etcd`, `${stateDir}/etcd.img`, `${stateDir}/etcd/filler`];
  await whileDown(async () => {
    renameSync(data, `${data}-before`);
    mkdirSync(data, { mode: 0o700 });
    mountLoopDisk({ file: image, mountPoint: data, mebibytes: DISK_MIB });
    await requireCommand('cp', ['-a', `${data}-before/.`, data]);
  });
  await bench.history.catchUp();
  try {
    await unnoticed(t, bench, port, async () => {
      // The log grows into what was set aside for it; what holds the keys needs more.
      await requireCommand('sh', ['-c', `dd if=/dev/zero of=${filler} bs=64k 2>/dev/null; test -s ${filler}`]);
      const pid = etcdPid();
      await eventually('etcd to end, or to refuse', 120_000, async () => {
        if (identityOf(pid) === '') return true;
        await Promise.all(Array.from({ length: 50 }, async (_, index) => { await bench.history.store.transact([], [{ kind: 'put', key: `/filler/${String(index)}`, value: new Uint8Array(500_000) }]).catch(() => undefined); }));
        return false;
      });
      const refused = await bench.cluster.tryCtl('scale', 'load/web=5');
      t.not(refused.exitCode, 0);
      t.regex(refused.stderr, /etcd/);
      await lasting(2 * TEST_TIMES.lostMs);
      rmSync(filler);
      await writable();
    });
    await bench.history.catchUp();
    t.deepEqual(bench.history.unreadable(), []);
  } finally {
    await whileDown(async () => {
      rmSync(filler, { force: true });
      rmSync(`${data}-before`, { recursive: true });
      await requireCommand('cp', ['-a', data, `${data}-after`]);
      await unmountDisk(data);
      rmSync(data, { recursive: true });
      renameSync(`${data}-after`, data);
      rmSync(image);
    });
  }
  await bench.heard();
});

test.serial('B13: another store, an empty one: each node keeps what it runs and says what would be right; with its own store again all goes on (root)', async t => {
  const { stateDir } = bench.cluster.layout;
  const revision = await bench.settled();
  const before = bench.pictures();
  t.true(before.length > 0);
  const logs = bench.cluster.layout.nodes.map(({ name }) => ({ name, from: bench.log(name).length }));
  await whileDown(() => {
    renameSync(`${stateDir}/etcd`, `${stateDir}/etcd-own`);
  });
  try {
    for (const { name, from } of logs) {
      await eventually(`${name} to be refused`, 60_000, () => bench.log(name).slice(from).includes('its tasks run on as they are'));
    }
    await lasting(4 * TEST_TIMES.lostMs);
    t.deepEqual(bench.pictures(), before);
  } finally {
    await whileDown(() => {
      rmSync(`${stateDir}/etcd`, { recursive: true });
      renameSync(`${stateDir}/etcd-own`, `${stateDir}/etcd`);
    });
  }
  await bench.heard();
  await bench.settled();
  t.deepEqual(bench.pictures(), before);
  t.deepEqual((await bench.tasksSince(revision)).map(task => task.name), []);
  await bench.cluster.ctl('scale', 'load/web=4', '--wait');
  await bench.cluster.ctl('scale', 'load/web=3', '--wait');
});
