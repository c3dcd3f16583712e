/** needs root, loop devices, crun, conmon, docker-registry, dnsmasq, nft: disks that are full. */
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { readdir, statfs } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { buildImage } from '#registry/image-build.ts';
import type { Task } from '#model/task.ts';
import { withRoomMade } from '../../agent/image/make-room-flow.ts';
import { PruneLoop } from '../../agent/image/prune-loop.ts';
import { parseRecord } from '../../agent/task/record-text.ts';
import { AgentMachine } from '../support/agent-machine.ts';
import { container, service, task as makeTask, taskId } from '../support/builders.ts';
import { startFakeRegistry } from '../support/fake-registry.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { NO_SIGNAL, PLATFORM, makeStateDirectory, openStore, plain } from '../support/image-fixture.ts';
import { inside, mountLoopDisk, unmountDisk, whyNoLoopDisk } from '../support/loop-disk.ts';
import { eventually } from '../support/node-namespaces.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { buildTar } from '../support/tar-builder.ts';

const MIB = 2 ** 20;
const why = whyNoLoopDisk();
const onLoop = why === undefined ? test.serial : test.serial.skip;
const lacking = why === undefined ? '' : ` (${why})`;

interface Pressure {
  readonly what: string;
  readonly answer: string;
  readonly begin: (state: string) => string;
  readonly end: (state: string) => string;
}

/** By row of reliability's table of faults. */
const PRESSURES: Readonly<Record<string, Pressure>> = {
  F1: {
    what: 'the state disk is full', answer: 'no space left',
    begin: state => `dd if=/dev/zero of=${state}/filler bs=64k 2>/dev/null; dd if=/dev/zero of=${state}/filler bs=1 count=65536 oflag=append conv=notrunc 2>/dev/null; true`,
    end: state => `rm ${state}/filler`,
  },
  F4: {
    what: 'the state disk has no inodes left', answer: 'no space left',
    begin: state => `mkdir ${state}/fillers; i=0; while true 2>/dev/null >${state}/fillers/$i; do i=$((i+1)); done; true`,
    end: state => `rm -r ${state}/fillers`,
  },
  F5: {
    what: 'the state disk is read-only', answer: 'the file system is read-only',
    // On top of the disk: itself it stays writable, since conmon holds the log.
    begin: state => `mount --bind ${state} ${state} && mount -o remount,bind,ro ${state}`, end: state => `umount -l ${state}`,
  },
};

for (const [row, pressure] of Object.entries(PRESSURES)) {
  onLoop(`needs root: ${row} ${pressure.what}: the session goes on, tasks say DiskPressure, records stay readable, all goes on once it takes writes${lacking}`, async t => {
    t.timeout(400_000);
    await statePressure(t, pressure);
  });
}

async function statePressure(t: ExecutionContext, pressure: Pressure): Promise<void> {
  const machine = await AgentMachine.create();
  t.teardown(async () => { await machine.close(); });
  const state = path.join(machine.directory, 'state');
  mountLoopDisk({ file: path.join(machine.directory, 'disk'), mountPoint: state, mebibytes: 48 }, machine.enter);
  const image = await machine.serveImage(['/bin/sh', '-c', 'sleep 3600']);
  const aTask = (id: string): Task => makeTask(service(), 'n1', { id: taskId(id), container: container({ ...image, stopGracePeriodMs: 500 }) });
  const [before, meanwhile] = [aTask('before'), aTask('meanwhile')];
  await machine.startAgent();
  machine.desire(before);
  const running = await machine.until('the first task runs', before.id, status => status.phase === 'running');

  inside(machine.enter, 'sh', '-c', pressure.begin(state));
  machine.desire(before, meanwhile);
  const waiting = await machine.until('the new task says why it waits', meanwhile.id, status => status.reason === 'DiskPressure', 10_000);
  t.regex(waiting.message, new RegExp(`^${pressure.answer}: ${state}(?:/[a-z/]+)? has \\d+ bytes and \\d+ inodes free`));
  t.is(waiting.phase, 'assigned');
  await machine.killAgent();
  await machine.startAgent();
  await machine.until('the next agent says it too', meanwhile.id, status => status.reason === 'DiskPressure');
  t.like(machine.statuses.get(before.id), { phase: 'running', pid: running.pid });
  t.is(machine.registrations, 2, 'no session ended for it');

  inside(machine.enter, 'sh', '-c', pressure.end(state));
  await machine.until('the new task runs', meanwhile.id, status => status.phase === 'running' && status.reason === '');
  t.is(machine.registrations, 2);
  t.like(machine.statuses.get(before.id), { phase: 'running', pid: running.pid, attempt: 1 });
  for (const task of [before, meanwhile]) {
    // Told first, then written down.
    await eventually('its record says that it runs', () =>
      parseRecord(inside(machine.enter, 'cat', path.join(state, 'tasks', task.id, 'record.json')), task.id)?.record.step === 'running' ? true : undefined);
  }
  t.is(inside(machine.enter, 'find', state, '-name', '*.corrupt'), '');
  t.deepEqual(inside(machine.enter, 'cat', path.join(state, 'starts')).split('\n').filter(line => line !== ''), [`${before.id} 1`, `${meanwhile.id} 1`]);

  machine.desire();
  await eventually('nothing is left of the tasks', () => inside(machine.enter, 'ls', path.join(state, 'tasks')) === '' ? true : undefined);
  await machine.killAgent();
  await unmountDisk(state, machine.enter);
  await machine.leave();
  t.deepEqual(await machine.leftovers(), []);
}

onLoop(`needs root: F2 the image disk is full in an unpack: directory and bytes are named, the space comes back, and images nobody needs make room${lacking}`, async t => {
  await using fake = await startFakeRegistry();
  await using directory = await makeStateDirectory();
  const mountPoint = path.join(directory.path, 'mnt');
  mkdirSync(mountPoint);
  mountLoopDisk({ file: path.join(directory.path, 'disk'), mountPoint, mebibytes: 48 });
  try {
    await using store = openStore(mountPoint, { registries: plain(fake.registry) });
    const serve = (mebibytes: number): { readonly image: string; readonly digest: ReturnType<typeof buildImage>['digest']; readonly layerBytes: number } => {
      const built = buildImage({ architecture: PLATFORM.architecture, config: {}, layers: [buildTar([{ t: 'f', n: 'noise', data: randomBytes(mebibytes * MIB) }])] });
      fake.serve({
        manifests: new Map([[built.digest, { mediaType: built.mediaType, bytes: built.manifest }]]),
        blobs: new Map(built.blobs.map(blob => [blob.digest, blob.bytes])),
      });
      return { image: `${fake.registry}/x:v1`, digest: built.digest, layerBytes: built.blobs[0]?.bytes.length ?? 0 };
    };
    await store.prune(new Set());
    const freeAtFirst = await freeBytes(mountPoint);

    const tooLarge = serve(40);
    const error = await t.throwsAsync(store.ensure(tooLarge, () => undefined, NO_SIGNAL), { code: 'RESOURCE_EXHAUSTED' });
    t.regex(error.message, new RegExp(`^layer 0: no space left while unpacking: ${mountPoint}/staging has \\d+ bytes and \\d+ inodes free, the layer is ${String(tooLarge.layerBytes)} bytes compressed$`));
    t.deepEqual(await readdir(path.join(mountPoint, 'partials')), []);
    await eventually('the space is back', async () => await freeBytes(mountPoint) > freeAtFirst - MIB ? true : undefined);

    const old = serve(12);
    await store.ensure(old, () => undefined, NO_SIGNAL);
    const needed = serve(15);
    const prune = new PruneLoop({ images: store, disk: () => Promise.resolve({ totalBytes: 1, usedBytes: 0 }), limits: { unusedMs: 86_400_000, diskPercent: 85 }, onPruned: () => undefined, named: () => new Set([needed.digest]), clock: new FakeClock(), log: silentLogger });
    const image = await withRoomMade(store, async () => { await prune.makeRoom(); }).ensure(needed, () => undefined, NO_SIGNAL);
    t.is(image.digest, needed.digest);
    t.is(await store.find(old.digest), undefined);
  } finally {
    await unmountDisk(mountPoint);
  }
});

async function freeBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}
