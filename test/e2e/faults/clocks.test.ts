import test from 'ava';
import { randomUUID } from 'node:crypto';
import { globSync, renameSync, writeFileSync } from 'node:fs';
import { parseServiceId } from '#model/ids.ts';
import type { ControlClient } from '#model/ports.ts';
import { createControlClient } from '#rpc/control-client.ts';
import { eventually } from '../../support/dev-cluster.ts';
import { webApp } from '../../support/fault-apps.ts';
import { FaultBench, lasting } from '../../support/fault-bench.ts';
import { unnoticed } from '../../support/unnoticed.ts';

/** LOST + EVICT of `--times test`. */
const LOST_AND_EVICT_MS = 6_000;
const PORT = 18_235;
const WEB = parseServiceId('default/load/web');
const REPLICAS = 3;
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

/** The wall clock that a time was read from is off by that. */
function isNear(atMs: number, offsetS: number): boolean {
  return Math.abs(atMs - Date.now() - offsetS * 1_000) < HOUR_S * 1_000 / 2;
}

function clientOf(of: FaultBench, controller: string): ControlClient {
  const { hostAddress, controllers } = of.cluster.layout;
  const port = controllers.find(one => one.name === controller)?.apiPort ?? 0;
  return createControlClient({ controllers: [`${hostAddress}:${String(port)}`], identity: of.cluster.operatorIdentity() });
}

/** The wall clock of a controller, as it writes it into a service that it is asked to change. */
async function timeOfController(of: FaultBench, name: string): Promise<number> {
  const client = clientOf(of, name);
  try {
    await client.scale({ requestId: randomUUID(), service: WEB, replicas: REPLICAS });
  } finally {
    client.close();
  }
  await of.history.catchUp();
  return of.history.now().services.get(WEB)?.value.updatedAtMs ?? 0;
}

/** The wall clock of an agent, as it is in what it tells of what its tasks use, and a controller heard. */
async function timeOfAgent(of: FaultBench, name: string, controller: string): Promise<number | undefined> {
  const client = clientOf(of, controller);
  try {
    return (await client.usage()).tasks.find(({ sample }) => sample.node === name)?.sample.atMs;
  } finally {
    client.close();
  }
}

needsLibrary('H1, H2: wall clocks of agents and controllers jump an hour either way: nothing lost, replaced or restarted (root, libfaketime)', async t => {
  bench = await FaultBench.up();
  const cluster = bench;
  await cluster.cluster.apply(webApp({ port: PORT, replicas: REPLICAS }), '--wait');
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
      // The one that is behind takes no new client: the certificates of this young cluster are not valid yet by its clock.
      const ahead = offsetS > 0 ? 'c1' : 'c2';
      const atMs = await timeOfController(cluster, ahead);
      t.true(isNear(atMs, HOUR_S), `${ahead} says ${new Date(atMs).toISOString()}`);
      for (const [name, ownS] of [['n1', offsetS], ['n2', -offsetS]] as const) {
        await eventually(`a sample by the clock of ${name}`, 60_000, async () => {
          const sampledAtMs = await timeOfAgent(cluster, name, ahead);
          return sampledAtMs !== undefined && isNear(sampledAtMs, ownS);
        });
      }
    }
    names.forEach(name => { setOffset(cluster, name, 0); });
  });
  t.deepEqual(await cluster.violations(), []);
});
