import { randomBytes } from 'node:crypto';
import { readFile, readdir, readlink, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { zstdCompressSync } from 'node:zlib';
import test from 'ava';
import type { Digest } from '#model/digest.ts';
import { buildImage, sha256Of } from '#registry/image-build.ts';
import type { BuiltImage } from '#registry/image-build.ts';
import { OverlaySnapshotter } from '../../agent/snapshot/overlay-fs.ts';
import { startFakeRegistry } from '../support/fake-registry.ts';
import type { ServedImage } from '../support/fake-registry.ts';
import { NO_SIGNAL, PLATFORM, listLeftovers, makeStateDirectory, openStore, push, plain } from '../support/image-fixture.ts';
import { startRegistry } from '../support/registry-process.ts';
import type { RegistryProcess } from '../support/registry-process.ts';
import { isMountPoint } from '../support/snapshot-bench.ts';
import { buildTar } from '../support/tar-builder.ts';
import { holdUserNamespace } from '../support/user-namespace-process.ts';

const MIB = 2 ** 20;
let server: RegistryProcess;
test.before(async () => { server = await startRegistry(); });
test.after.always(async () => { await server[Symbol.asyncDispose](); });

/** A layer of one file that does not compress. */
function noiseLayer(name: string, bytes: number): Buffer {
  return buildTar([{ t: 'f', n: name, data: randomBytes(bytes) }]);
}

function served(built: BuiltImage): ServedImage {
  return {
    manifests: new Map([[built.digest, { mediaType: built.mediaType, bytes: built.manifest }]]),
    blobs: new Map(built.blobs.map(blob => [blob.digest, blob.bytes])),
  };
}

test.serial('a pulled image mounts with whiteouts, opaque directories and ids of the container (needs root, docker-registry)', async t => {
  await using state = await makeStateDirectory();
  await using store = openStore(state.path, { caPem: server.caPem });
  await using held = await holdUserNamespace(3_100_000);
  const request = await push(server, 'team/web', {
    layers: [
      buildTar([
        { t: 'd', n: 'etc' }, { t: 'f', n: 'etc/gone', data: '1' }, { t: 'f', n: 'etc/stay', data: 'stay', uid: 7, gid: 8, mode: 0o640 },
        { t: 'd', n: 'cache' }, { t: 'f', n: 'cache/old', data: '1' }, { t: 'f', n: 'bin/su', data: '#!', mode: 0o4755 },
      ]),
      buildTar([{ t: 'f', n: 'etc/.wh.gone' }, { t: 'f', n: 'cache/new', data: '2' }, { t: 'f', n: 'cache/.wh..wh..opq' }]),
    ],
    config: { Cmd: ['/bin/su'], Env: ['A=1', 'NOEQUALS'], User: '7', WorkingDir: '/etc', StopSignal: 'SIGQUIT' },
  });
  const seen: number[] = [];
  const image = await store.ensure(request, progress => { seen.push(progress.layers.filter(layer => layer.isComplete).length); }, NO_SIGNAL);
  t.deepEqual(image.config, { user: '7', environment: ['A=1'], entrypoint: [], command: ['/bin/su'], workingDir: '/etc', stopSignal: 'SIGQUIT' });
  t.is(seen.at(-1), 2);
  const snapshotter = new OverlaySnapshotter({ layersPath: path.join(state.path, 'layers'), statePath: state.path, prefix: 'test' });
  const { rootfsPath } = await snapshotter.prepare('web-1', image.layers, held.mapping, NO_SIGNAL);
  t.deepEqual((await readdir(path.join(rootfsPath, 'etc'))).filter(name => !isMountPoint(`etc/${name}`)), ['stay']);
  t.deepEqual(await readdir(path.join(rootfsPath, 'cache')), ['new']);
  t.like(await stat(path.join(rootfsPath, 'etc/stay')), { uid: 3_100_007, gid: 3_100_008, mode: 0o100640 });
  t.is((await stat(path.join(rootfsPath, 'bin/su'))).mode & 0o7777, 0o4755);
  await snapshotter.remove('web-1');
  await snapshotter.settled();
});

test.serial('a complete image needs no registry, also after a restart of the agent (needs root, docker-registry)', async t => {
  await using state = await makeStateDirectory();
  const request = await push(server, 'team/offline', { layers: [noiseLayer('a', 1000)] });
  {
    await using store = openStore(state.path, { caPem: server.caPem });
    await store.ensure(request, () => undefined, NO_SIGNAL);
  }
  await server.stop();
  try {
    await using store = openStore(state.path, { caPem: server.caPem });
    t.is((await store.ensure(request, () => undefined, NO_SIGNAL)).digest, request.digest);
    t.is((await store.find(request.digest))?.layers.length, 1);
  } finally {
    await server.start();
  }
});

test.serial('20 at once fetch each blob once (needs root)', async t => {
  await using fake = await startFakeRegistry();
  await using state = await makeStateDirectory();
  await using store = openStore(state.path, { registries: plain(fake.registry) });
  const built = buildImage({ architecture: PLATFORM.architecture, config: {}, layers: [noiseLayer('a', MIB), noiseLayer('b', MIB), noiseLayer('c', 10)] });
  fake.serve(served(built));
  const request = { image: `${fake.registry}/x:v1`, digest: built.digest };
  const images = await Promise.all(Array.from({ length: 20 }, () => store.ensure(request, () => undefined, NO_SIGNAL)));
  t.is(new Set(images.map(image => image.layers.join())).size, 1);
  t.deepEqual([...fake.blobRequests.values()], [1, 1, 1, 1]);
});

test.serial('two images fetch the layer they share once (needs root)', async t => {
  await using fake = await startFakeRegistry();
  await using state = await makeStateDirectory();
  await using store = openStore(state.path, { registries: plain(fake.registry) });
  const shared = noiseLayer('shared', MIB);
  const images = ['1', '2'].map(name => buildImage({ architecture: PLATFORM.architecture, config: { Cmd: [name] }, layers: [shared, noiseLayer(name, 10)] }));
  const all = images.map(served);
  fake.serve({ manifests: new Map(all.flatMap(one => [...one.manifests])), blobs: new Map(all.flatMap(one => [...one.blobs])) });
  await Promise.all(images.map(one => store.ensure({ image: `${fake.registry}/x:v1`, digest: one.digest }, () => undefined, NO_SIGNAL)));
  t.is(fake.blobRequests.get(images[0]?.blobs[0]?.digest ?? ''), 1);
});

test.serial('a blob with a flipped bit is refused and leaves nothing (needs root)', async t => {
  await using fake = await startFakeRegistry();
  await using state = await makeStateDirectory();
  await using store = openStore(state.path, { registries: plain(fake.registry) });
  const built = buildImage({ architecture: PLATFORM.architecture, config: {}, layers: [noiseLayer('a', MIB)] });
  const layer = built.blobs[0];
  const image = served(built);
  const flipped = Buffer.from(layer?.bytes ?? []);
  flipped.writeUInt8(flipped.readUInt8(flipped.length - 100_000) ^ 1, flipped.length - 100_000);
  fake.serve({ ...image, blobs: new Map([...image.blobs, [layer?.digest ?? '', flipped]]) });
  await t.throwsAsync(store.ensure({ image: `${fake.registry}/x:v1`, digest: built.digest }, () => undefined, NO_SIGNAL), { code: 'FAILED_PRECONDITION', message: /^layer 0: / });
  t.deepEqual(await listLeftovers(state.path), []);
  t.is(await store.find(built.digest), undefined);
});

test.serial('a blob that unpacks to the same files but has another digest is refused all the same (needs root)', async t => {
  await using fake = await startFakeRegistry();
  await using state = await makeStateDirectory();
  await using store = openStore(state.path, { registries: plain(fake.registry) });
  const built = buildImage({ architecture: PLATFORM.architecture, config: {}, layers: [noiseLayer('a', MIB)] });
  const layer = built.blobs[0];
  const image = served(built);
  // Bytes 4 to 7 of a gzip member are its time. Source: RFC 1952 section 2.3
  const retimed = Buffer.from(layer?.bytes ?? []);
  retimed.writeUInt32LE(1, 4);
  fake.serve({ ...image, blobs: new Map([...image.blobs, [layer?.digest ?? '', retimed]]) });
  await t.throwsAsync(store.ensure({ image: `${fake.registry}/x:v1`, digest: built.digest }, () => undefined, NO_SIGNAL), { code: 'FAILED_PRECONDITION', message: /^layer 0: / });
  t.deepEqual(await listLeftovers(state.path), []);
});

/** The same image with `blob` as its only layer, of zstd. */
function withZstdLayer(built: BuiltImage, blob: Buffer): ServedImage & { readonly digest: Digest } {
  const image = served(built);
  const manifest = JSON.parse(Buffer.from(built.manifest).toString()) as { readonly config: object };
  const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd', digest: sha256Of(blob), size: blob.length };
  const bytes = Buffer.from(JSON.stringify({ ...manifest, layers: [layer] }));
  const digest = sha256Of(bytes);
  return { digest, manifests: new Map([[digest, { mediaType: built.mediaType, bytes }]]), blobs: new Map([...image.blobs, [layer.digest, blob]]) };
}

test.serial('a layer of several zstd frames, one of them to skip, unpacks whole; one whose last frame is cut is refused (needs root)', async t => {
  await using fake = await startFakeRegistry();
  await using state = await makeStateDirectory();
  await using store = openStore(state.path, { registries: plain(fake.registry) });
  const tar = noiseLayer('a', MIB);
  const skipped = Buffer.from('512a4d1803000000616263', 'hex'); // RFC 8878, section 3.1.2
  const blob = Buffer.concat([zstdCompressSync(tar.subarray(0, 700_000)), skipped, zstdCompressSync(tar.subarray(700_000, 700_001)), zstdCompressSync(tar.subarray(700_001))]);
  const built = buildImage({ architecture: PLATFORM.architecture, config: {}, layers: [tar] });
  const cut = withZstdLayer(built, blob.subarray(0, -5));
  fake.serve(cut);
  await t.throwsAsync(store.ensure({ image: `${fake.registry}/x:v1`, digest: cut.digest }, () => undefined, NO_SIGNAL), { code: 'FAILED_PRECONDITION', message: /^layer 0: / });
  t.deepEqual(await listLeftovers(state.path), []);
  const whole = withZstdLayer(built, blob);
  fake.serve(whole);
  const { layers } = await store.ensure({ image: `${fake.registry}/x:v1`, digest: whole.digest }, () => undefined, NO_SIGNAL);
  t.is(layers.length, 1);
});

test.serial('kill -9 of the extractor fails the pull as retryable, leaves no layer, and the next try goes on with Range (needs root)', async t => {
  await using fake = await startFakeRegistry();
  await using state = await makeStateDirectory();
  await using store = openStore(state.path, { registries: plain(fake.registry) });
  const built = buildImage({ architecture: PLATFORM.architecture, config: {}, layers: [noiseLayer('a', 4 * MIB)] });
  const request = { image: `${fake.registry}/x:v1`, digest: built.digest };
  fake.serve(served(built), { bytesPerSecond: MIB });
  const pulling = store.ensure(request, () => undefined, NO_SIGNAL);
  const killed = killExtractor(path.join(state.path, 'staging'));
  await t.throwsAsync(pulling, { code: 'UNAVAILABLE', message: /extractor ended while unpacking \(SIGKILL\)/ });
  t.true(await killed);
  const left = await listLeftovers(state.path);
  t.deepEqual(left.map(name => path.dirname(name)), ['partials']);
  fake.serve(served(built));
  await store.ensure(request, () => undefined, NO_SIGNAL);
  t.regex(fake.requests.at(-1)?.range ?? '', /^bytes=[1-9]\d*-$/);
  t.deepEqual((await listLeftovers(state.path)).filter(name => name.startsWith('partials')), []);
});

/** Kills the extractor of `staging` once a file of a layer is being written. */
async function killExtractor(staging: string): Promise<boolean> {
  for (let tries = 0; tries < 2_400; tries += 1) {
    const isWriting = (await readdir(staging, { recursive: true }).catch(() => [])).some(name => name.endsWith('/tree/a'));
    for (const pid of isWriting ? (await readdir('/proc')).filter(name => /^\d+$/.test(name)) : []) {
      if (await readlink(`/proc/${pid}/root`).catch(() => '') === staging) {
        process.kill(Number(pid), 'SIGKILL');
        return true;
      }
    }
    await sleep(25);
  }
  return false;
}

test.serial('a connection cut at half goes on with Range, and 1.6 times the bytes are not needed (needs root)', async t => {
  await using fake = await startFakeRegistry();
  await using state = await makeStateDirectory();
  await using store = openStore(state.path, { registries: plain(fake.registry) });
  const built = buildImage({ architecture: PLATFORM.architecture, config: {}, layers: [noiseLayer('a', 3 * MIB)] });
  fake.serve(served(built), { cut: 'first only' });
  await store.ensure({ image: `${fake.registry}/x:v1`, digest: built.digest }, () => undefined, NO_SIGNAL);
  t.true(fake.blobBytesSent < 4 * MIB, `${String(fake.blobBytesSent)} bytes; without Range they are 4.5 MiB`);
});

test.serial('a given up pull ends, keeps its partial, and another waiter of the same image is not disturbed (needs root)', async t => {
  await using fake = await startFakeRegistry();
  await using state = await makeStateDirectory();
  await using store = openStore(state.path, { registries: plain(fake.registry) });
  const built = buildImage({ architecture: PLATFORM.architecture, config: {}, layers: [noiseLayer('a', MIB)] });
  const request = { image: `${fake.registry}/x:v1`, digest: built.digest };
  fake.serve(served(built), { bytesPerSecond: MIB });
  const stop = new AbortController();
  const first = store.ensure(request, progress => { if ((progress.layers[0]?.doneBytes ?? 0) > 100_000) stop.abort(new Error('enough')); }, stop.signal);
  const second = store.ensure(request, () => undefined, NO_SIGNAL);
  await t.throwsAsync(first, { message: 'enough' });
  t.is((await second).digest, built.digest);
});

test.serial('prune takes images that are not kept, with the layers that only they have (needs root)', async t => {
  await using fake = await startFakeRegistry();
  await using state = await makeStateDirectory();
  await using store = openStore(state.path, { registries: plain(fake.registry) });
  const shared = noiseLayer('shared', 1000);
  const [kept, dropped] = ['1', '2'].map(name => buildImage({ architecture: PLATFORM.architecture, config: { Cmd: [name] }, layers: [shared, noiseLayer(name, 5000)] }));
  if (kept === undefined || dropped === undefined) throw new Error('two images');
  for (const one of [kept, dropped]) {
    fake.serve(served(one));
    await store.ensure({ image: `${fake.registry}/x:v1`, digest: one.digest }, () => undefined, NO_SIGNAL);
  }
  t.deepEqual(await store.prune(new Set([kept.digest])), { freedBytes: 5000 });
  t.is(await store.find(dropped.digest), undefined);
  t.is((await store.find(kept.digest))?.layers.length, 2);
  t.is((await readdir(path.join(state.path, 'layers'))).length, 2);
});

test.serial('after a boot of the machine, layers that no complete image has are fetched again (needs root)', async t => {
  await using fake = await startFakeRegistry();
  await using state = await makeStateDirectory();
  const built = buildImage({ architecture: PLATFORM.architecture, config: {}, layers: [noiseLayer('a', 1000)] });
  const request = { image: `${fake.registry}/x:v1`, digest: built.digest };
  fake.serve(served(built));
  {
    await using store = openStore(state.path, { registries: plain(fake.registry) });
    await store.ensure(request, () => undefined, NO_SIGNAL);
  }
  await writeFile(path.join(state.path, 'boot-id'), 'another boot');
  await writeFile(path.join(state.path, 'images', `${built.digest.replace(':', '-')}.json`), 'half a rec');
  await using store = openStore(state.path, { registries: plain(fake.registry) });
  t.is(await store.find(built.digest), undefined);
  t.deepEqual(await readdir(path.join(state.path, 'layers')), []);
  await store.ensure(request, () => undefined, NO_SIGNAL);
  t.is(fake.blobRequests.get(built.blobs[0]?.digest ?? ''), 2);
});

test.serial('the extractor has few capabilities and the staging directory as its root (needs root)', async t => {
  await using fake = await startFakeRegistry();
  await using state = await makeStateDirectory();
  await using store = openStore(state.path, { registries: plain(fake.registry) });
  const built = buildImage({ architecture: PLATFORM.architecture, config: {}, layers: [noiseLayer('a', 1000)] });
  fake.serve(served(built));
  await store.ensure({ image: `${fake.registry}/x:v1`, digest: built.digest }, () => undefined, NO_SIGNAL);
  const pids: string[] = [];
  for (const pid of (await readdir('/proc')).filter(name => /^\d+$/.test(name))) {
    if (await readlink(`/proc/${pid}/root`).catch(() => '') === path.join(state.path, 'staging')) pids.push(pid);
  }
  t.is(pids.length, 1);
  const status = await readFile(`/proc/${pids[0] ?? ''}/status`, 'utf8');
  // chown 0, dac_override 1, fowner 3, fsetid 4, sys_chroot 18, sys_admin 21, setfcap 31.
  t.regex(status, /CapBnd:\s+000000008024001b/);
  t.regex(status, /CapEff:\s+000000008024001b/);
  t.regex(status, /NoNewPrivs:\s+1/);
  t.regex(status, /Seccomp:\s+2/); // filtered. Source: proc_pid_status(5)
});
