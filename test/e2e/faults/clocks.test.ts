import test from 'ava';
import { globSync, renameSync, writeFileSync } from 'node:fs';
import { webApp } from '../../support/fault-apps.ts';
import { FaultBench, lasting } from '../../support/fault-bench.ts';
import { unnoticed } from '../../support/unnoticed.ts';

/** LOST + EVICT of `--times test`. */
const LOST_AND_EVICT_MS = 6_000;
const PORT = 18_235;
const HOUR_S = 3_600;
/** Source: Debian package libfaketime */
const [LIBRARY] = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1');
const needsLibrary = LIBRARY === undefined ? test.serial.skip : test.serial;

let bench: FaultBench | undefined;

test.after.always('nothing is left', async t => {
  t.deepEqual(await bench?.close() ?? [], []);
});

/** From its next start on the process reads its wall clock's offset from a file; its monotonic clock is the real one. */
function fakeClock(of: FaultBench, name: string): void {
  setOffset(of, name, 0);
  of.environment(name, {
    LD_PRELOAD: LIBRARY ?? '', FAKETIME_TIMESTAMP_FILE: offsetFile(of, name), FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1', FAKETIME_DISABLE_SHM: '1',
  });
}

function setOffset(of: FaultBench, name: string, offsetS: number): void {
  // Whole or not at all: the library ends a process that reads half of it.
  writeFileSync(`${offsetFile(of, name)}.next`, `${offsetS < 0 ? '' : '+'}${String(offsetS)}\n`);
  renameSync(`${offsetFile(of, name)}.next`, offsetFile(of, name));
}

function offsetFile(of: FaultBench, name: string): string {
  return `${of.cluster.layout.runDir}/clock-${name}`;
}

needsLibrary('H1, H2: wall clocks of agents and controllers jump an hour either way: nothing lost, replaced or restarted (root, libfaketime)', async t => {
  bench = await FaultBench.up();
  const cluster = bench;
  await cluster.cluster.apply(webApp({ port: PORT, replicas: 3 }), '--wait');
  const names = ['n1', 'n2', 'c1', 'c2'];
  for (const name of names) {
    const { pid } = cluster.cluster.process(name);
    fakeClock(cluster, name);
    cluster.kill(name);
    await cluster.running(name, pid);
  }
  await cluster.heard();
  await unnoticed(t, cluster, PORT, async () => {
    for (const offsetS of [HOUR_S, -HOUR_S]) {
      ['n1', 'c1'].forEach(name => { setOffset(cluster, name, offsetS); });
      ['n2', 'c2'].forEach(name => { setOffset(cluster, name, -offsetS); });
      await lasting(LOST_AND_EVICT_MS);
    }
    names.forEach(name => { setOffset(cluster, name, 0); });
  });
  t.deepEqual(await cluster.violations(), []);
});
