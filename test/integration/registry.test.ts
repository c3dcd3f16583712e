import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { systemClock } from '#kit/clock.ts';
import { buildImage, sha256Of } from '#registry/image-build.ts';
import { pushImage } from '#registry/push-flow.ts';
import { RegistryClient } from '#registry/registry-client.ts';
import type { BlobDescriptor, RegistryImage } from '#registry/registry-client.ts';
import { NO_REGISTRY_SETTINGS } from '#registry/registry-settings-parse.ts';
import type { RegistryOptions } from '#registry/registry-transport.ts';
import { registryResolver } from '../../controller/api/image-resolver-client.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { startFakeRegistry } from '../support/fake-registry.ts';
import type { FakeRegistry } from '../support/fake-registry.ts';
import { NO_SIGNAL, makeClient } from '../support/image-fixture.ts';
import { startRegistry } from '../support/registry-process.ts';
import { buildTar } from '../support/tar-builder.ts';

const BLOB = randomBytes(300_000);
const DESCRIPTOR: BlobDescriptor = { digest: sha256Of(BLOB), sizeBytes: BLOB.length };
const MANIFEST = { mediaType: 'application/vnd.oci.image.manifest.v1+json', bytes: Buffer.from('{}') };
const SERVED = { manifests: new Map([['v1', MANIFEST], [sha256Of(MANIFEST.bytes), MANIFEST]]), blobs: new Map([[DESCRIPTOR.digest, BLOB]]) };

/** A client whose waits take no time, and the fake registry that it may ask without TLS. */
async function use(options: Partial<RegistryOptions>, body: (client: RegistryClient, fake: FakeRegistry, image: RegistryImage) => Promise<void>): Promise<void> {
  await using fake = await startFakeRegistry();
  const client = new RegistryClient({
    ...NO_REGISTRY_SETTINGS, plainRegistries: [fake.registry], credentials: () => Promise.resolve(undefined), random: () => 0,
    clock: { ...systemClock, sleep: (_, signal) => { signal.throwIfAborted(); return Promise.resolve(); } }, ...options,
  });
  try {
    await body(client, fake, { registry: fake.registry, repository: 'a/b', tag: 'v1' });
  } finally {
    await client.close();
  }
}

async function readAll(blob: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of blob) pieces.push(piece);
  return Buffer.concat(pieces);
}

test('push, resolve and fetch over TLS of the cluster\'s authority (needs docker-registry)', async t => {
  await using server = await startRegistry();
  await using client = makeClient(server);
  const image = { registry: server.registry, repository: 'team/app', tag: 'v2' };
  const built = buildImage({ layers: [buildTar([{ t: 'f', n: 'a' }])], architecture: 'amd64', config: { Cmd: ['/a'] } });
  await pushImage(client, image, built, NO_SIGNAL);
  await pushImage(client, image, built, NO_SIGNAL);
  t.is(await client.resolve(image, NO_SIGNAL), built.digest);
  t.deepEqual((await client.fetchManifest({ ...image, digest: built.digest }, NO_SIGNAL)).bytes, Buffer.from(built.manifest));
  await t.throwsAsync(client.resolve({ ...image, tag: 'none' }, NO_SIGNAL), { code: 'NOT_FOUND', message: /team\/app:none: not in the registry/ });
  await using stranger = makeClient({});
  await t.throwsAsync(stranger.fetchManifest({ ...image, tag: 'v2' }, AbortSignal.timeout(500)));
});

test('a tag is made of what the registry itself has, whatever a mirror has (needs docker-registry)', async t => {
  await using server = await startRegistry();
  await using mirror = await startFakeRegistry();
  mirror.serve(SERVED);
  await using pusher = makeClient(server);
  const image = { registry: server.registry, repository: 'team/app', tag: 'v1' };
  const built = buildImage({ layers: [buildTar([{ t: 'f', n: 'a' }])], architecture: 'amd64', config: { Cmd: ['/a'] } });
  await pushImage(pusher, image, built, NO_SIGNAL);
  const client = new RegistryClient({
    ...NO_REGISTRY_SETTINGS, caPem: server.caPem, plainRegistries: [mirror.registry], mirrors: new Map([[server.registry, [mirror.registry]]]),
    credentials: () => Promise.resolve(undefined), clock: systemClock, random: () => 0,
  });
  try {
    const resolver = registryResolver(client, { find: () => Promise.resolve(undefined) });
    t.is(await resolver.tag(image, 'v2', 'default', NO_SIGNAL), built.digest);
    t.is(mirror.requests.length, 0);
    t.is(await pusher.resolve({ ...image, tag: 'v2' }, NO_SIGNAL), built.digest);
    t.is(await client.resolve(image, NO_SIGNAL), sha256Of(MANIFEST.bytes), 'what is asked for to run comes from the mirror');
  } finally {
    await client.close();
  }
});

test('the login that a namespace has now decides, whatever was found before', t => use({}, async (client, fake, image) => {
  let login: { readonly username: string; readonly password: string } | undefined;
  const resolver = registryResolver(client, { find: () => Promise.resolve(login) });
  fake.serve(SERVED);
  t.is(await resolver.resolve(image, 'default', NO_SIGNAL), sha256Of(MANIFEST.bytes));
  const asked = fake.requests.length;
  t.is(await resolver.resolve(image, 'default', NO_SIGNAL), sha256Of(MANIFEST.bytes));
  t.is(fake.requests.length, 2 * asked, 'no more than without a guess');
  login = { username: 'ann', password: 'right' };
  fake.serve(SERVED, { login });
  t.is(await resolver.resolve(image, 'default', NO_SIGNAL), sha256Of(MANIFEST.bytes));
  login = undefined;
  await t.throwsAsync(resolver.resolve(image, 'default', NO_SIGNAL), { code: 'PERMISSION_DENIED' });
}));

test('a registry that is away is UNAVAILABLE after its tries, naming the cause', async t => {
  const retries: string[] = [];
  await use({ onRetry: what => { retries.push(what); } }, async (client, fake, image) => {
    await fake[Symbol.asyncDispose]();
    await t.throwsAsync(client.resolve(image, NO_SIGNAL), { code: 'UNAVAILABLE', message: /ECONNREFUSED/ });
    t.is(retries.length, 4);
    fake[Symbol.asyncDispose] = () => Promise.resolve();
  });
});
test('three times 500 are retried and said', async t => {
  const retries: string[] = [];
  await use({ onRetry: what => { retries.push(what); } }, async (client, fake, image) => {
    fake.serve(SERVED, { manifest: ['500', '500', '500', '200'] });
    t.is((await client.fetchManifest(image, NO_SIGNAL)).digest, sha256Of(MANIFEST.bytes));
    t.deepEqual(retries, Array.from({ length: 3 }, () => `${fake.registry}: status 500`));
  });
});
test('Retry-After is waited for', async t => {
  const clock = new FakeClock();
  await use({ clock }, async (client, fake, image) => {
    fake.serve(SERVED, { manifest: ['429', '200'], retryAfter: '7' });
    const fetched = client.fetchManifest(image, NO_SIGNAL);
    while (clock.sleeping === 0) await new Promise(resolve => { setImmediate(resolve); });
    await clock.advance(6_999);
    t.is(clock.sleeping, 1);
    await clock.advance(1);
    t.is((await fetched).digest, sha256Of(MANIFEST.bytes));
  });
});
test('a manifest by digest must have that digest', t => use({}, async (client, fake, image) => {
  const digest = sha256Of(Buffer.from('other'));
  fake.serve({ ...SERVED, manifests: new Map([[digest, MANIFEST]]) });
  await t.throwsAsync(client.fetchManifest({ ...image, digest }, NO_SIGNAL), { code: 'FAILED_PRECONDITION', message: /digest mismatch/ });
}));
for (const [what, body] of [['connections are kept when tags are resolved', ''], ['a registry that sends a body after HEAD is asked over a new one', '{"schemaVersion":2}']] as const) {
  test(what, async t => {
    const digest = sha256Of(MANIFEST.bytes);
    const head = `HTTP/1.1 200 OK\r\nDocker-Content-Digest: ${digest}\r\nContent-Length: 19\r\n\r\n`;
    let connections = 0;
    const server = createTcpServer(socket => {
      connections += 1;
      socket.on('data', () => { socket.write(`${head}${body}`); }).on('error', () => undefined);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const registry = `127.0.0.1:${String((server.address() as AddressInfo).port)}`;
    const client = new RegistryClient({ ...NO_REGISTRY_SETTINGS, plainRegistries: [registry], credentials: () => Promise.resolve(undefined), random: () => 0, clock: systemClock });
    try {
      for (let count = 1; count <= 6; count += 1) {
        t.is(await client.resolve({ registry, repository: 'a/b', tag: 'v1' }, NO_SIGNAL), digest);
      }
      // The next may be asked before the one before has let go of its connection.
      t.true(body === '' ? connections <= 2 : connections === 6, String(connections));
    } finally {
      await client.close();
      server.close();
    }
  });
}
test('a login goes to the registry, and not along a redirect', t => use({ credentials: () => Promise.resolve({ username: 'u', password: 'p' }) }, async (client, fake, image) => {
  const seen: (string | undefined)[] = [];
  const other = createServer((request, response) => { seen.push(request.headers.authorization); response.end(BLOB); }).listen(0, '127.0.0.1');
  await once(other, 'listening');
  const host = `127.0.0.1:${String((other.address() as AddressInfo).port)}`;
  try {
    fake.serve(SERVED, { login: { username: 'u', password: 'p' }, blob: `http://${host}/b` });
    await t.throwsAsync(readAll(client.openBlob(image, DESCRIPTOR, 0, NO_SIGNAL)), { code: 'FAILED_PRECONDITION', message: /redirect to http: URL refused/ });
    const both = new RegistryClient({
      ...NO_REGISTRY_SETTINGS, plainRegistries: [fake.registry, host], credentials: () => Promise.resolve({ username: 'u', password: 'p' }), random: () => 0, clock: systemClock,
    });
    t.is((await readAll(both.openBlob(image, DESCRIPTOR, 0, NO_SIGNAL))).length, BLOB.length);
    await both.close();
    t.true(fake.requests.some(one => one.authorization.startsWith('Basic ')));
    t.deepEqual(seen, [undefined]);
  } finally {
    other.close();
  }
}));
test('a wrong login is PERMISSION_DENIED', t => use({ credentials: () => Promise.resolve({ username: 'u', password: 'wrong' }) }, async (client, fake, image) => {
  fake.serve(SERVED, { login: { username: 'u', password: 'p' } });
  await t.throwsAsync(client.fetchManifest(image, NO_SIGNAL), { code: 'PERMISSION_DENIED' });
}));
test('a blob goes on where the connection broke', t => use({}, async (client, fake, image) => {
  fake.serve(SERVED, { cut: 0.5 });
  t.true((await readAll(client.openBlob(image, DESCRIPTOR, 0, NO_SIGNAL))).equals(BLOB));
  t.regex(fake.requests[1]?.range ?? '', /^bytes=[1-9]\d*-$/);
}));
test('a registry without Range sends again what is skipped', t => use({}, async (client, fake, image) => {
  fake.serve(SERVED, { cut: 0.5, range: false });
  t.true((await readAll(client.openBlob(image, DESCRIPTOR, 0, NO_SIGNAL))).equals(BLOB));
}));
test('a blob opens in its middle', t => use({}, async (client, fake, image) => {
  fake.serve(SERVED);
  t.true((await readAll(client.openBlob(image, DESCRIPTOR, 1000, NO_SIGNAL))).equals(BLOB.subarray(1000)));
}));
test('one byte more than the descriptor says closes', t => use({}, async (client, fake, image) => {
  fake.serve(SERVED);
  await t.throwsAsync(readAll(client.openBlob(image, { ...DESCRIPTOR, sizeBytes: BLOB.length - 1 }, 0, NO_SIGNAL)), { code: 'FAILED_PRECONDITION', message: /is longer than its 299999 bytes/ });
}));
test('a registry that drips is a stall', t => use({ stallTimeoutMs: 1000, clock: systemClock }, async (client, fake, image) => {
  fake.serve(SERVED, { bytesPerSecond: 100 });
  await t.throwsAsync(readAll(client.openBlob(image, DESCRIPTOR, 0, NO_SIGNAL)), { code: 'UNAVAILABLE', message: /less than 1024 bytes\/s: stalled/ });
}));
test('a slow reader is no stall', t => use({ stallTimeoutMs: 1_500, clock: systemClock }, async (client, fake, image) => {
  fake.serve(SERVED);
  let bytes = 0;
  for await (const piece of client.openBlob(image, DESCRIPTOR, 0, NO_SIGNAL)) {
    bytes += piece.length;
    await systemClock.sleep(bytes < 100_000 ? 2_000 : 0, NO_SIGNAL);
  }
  t.is(bytes, BLOB.length);
}));
test('an abort ends a blob at once', t => use({}, async (client, fake, image) => {
  fake.serve(SERVED, { bytesPerSecond: 1000 });
  const stop = new AbortController();
  const reading = (async () => {
    for await (const piece of client.openBlob(image, DESCRIPTOR, 0, stop.signal)) stop.abort(new Error(`enough at ${String(piece.length > 0)}`));
  })();
  await t.throwsAsync(reading, { message: 'enough at true' });
}));
