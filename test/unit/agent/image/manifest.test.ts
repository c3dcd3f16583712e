import test from 'ava';
import { parseConfig, parseManifest } from '../../../../agent/image/manifest.ts';
import { sha256Of } from '#registry/image-build.ts';

const OCI = 'application/vnd.oci.image.manifest.v1+json';
const DOCKER = 'application/vnd.docker.distribution.manifest.v2+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';
const digest = sha256Of(Buffer.from('x'));
const layer = (fields: object = {}): object => ({ mediaType: LAYER, digest, size: 5, ...fields });
const image = (fields: object = {}): object => ({ schemaVersion: 2, config: { mediaType: 'c', digest, size: 3 }, layers: [layer()], ...fields });
const parse = (body: unknown, contentType = OCI): unknown => parseManifest(Buffer.from(JSON.stringify(body)), contentType);

test('an image manifest gives its config and layers', t => {
  t.deepEqual(parse(image()), { kind: 'image', config: { mediaType: 'c', digest, sizeBytes: 3 }, layers: [{ mediaType: LAYER, digest, sizeBytes: 5, compression: 'gzip' }] });
});
test('Docker\'s types mean the same', t => {
  t.like(parse(image({ mediaType: DOCKER, layers: [layer({ mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip' })] }), DOCKER), { kind: 'image', layers: [{ compression: 'gzip' }] });
});
test('zstd and plain layers are known', t => {
  t.like(parse(image({ layers: [layer({ mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd' }), layer({ mediaType: 'application/vnd.oci.image.layer.v1.tar' })] })), {
    layers: [{ compression: 'zstd' }, { compression: 'none' }],
  });
});
test('an index gives its entries with their platforms', t => {
  const entry = { mediaType: OCI, digest, size: 9 };
  t.deepEqual(parse({ schemaVersion: 2, mediaType: INDEX, manifests: [{ ...entry, platform: { os: 'linux', architecture: 'arm', variant: 'v7' } }, entry] }, INDEX), {
    kind: 'index', entries: [{ mediaType: OCI, digest, sizeBytes: 9, platform: { os: 'linux', architecture: 'arm', variant: 'v7' } }, { mediaType: OCI, digest, sizeBytes: 9 }],
  });
});

const refuses = test.macro({
  exec(t, body: unknown, message: RegExp, contentType: string = OCI) { t.throws(() => parse(body, contentType), { code: 'FAILED_PRECONDITION', message }); },
  title: (name = '') => `parseManifest refuses ${name}`,
});
test('null', refuses, null, /manifest: expected an object/);
test('a list', refuses, [], /expected an object/);
test('schema 1', refuses, { schemaVersion: 1 }, /schemaVersion 1?.*is not supported/);
test('a media type other than the registry said', refuses, image({ mediaType: INDEX }), /does not match Content-Type/);
test('manifests beside layers', refuses, image({ manifests: [] }), /both manifests and layers/);
test('an unknown type', refuses, image(), /unsupported manifest media type/, 'application/json');
test('no config', refuses, image({ config: undefined }), /manifest config: expected an object/);
test('layers that are no list', refuses, image({ layers: {} }), /manifest layers: expected a list/);
test('128 layers', refuses, image({ layers: Array.from({ length: 128 }, () => layer()) }), /128 layers, over 127/);
test('an xz layer', refuses, image({ layers: [layer({ mediaType: 'application/vnd.oci.image.layer.v1.tar+xz' })] }), /unsupported layer media type .* in layers\[0\]/);
test('a type named like a property of every object', refuses, image({ layers: [layer({ mediaType: 'constructor' })] }), /unsupported layer media type/);
test('a layer with urls', refuses, image({ layers: [layer({ urls: ['http://x'] })] }), /foreign layers are not fetched/);
test('a nondistributable layer', refuses, image({ layers: [layer({ mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip' })] }), /foreign layers/);
for (const bad of ['sha256:../../x', '', 'SHA256:'.concat('A'.repeat(64)), 'md5:00', 5]) {
  test(`digest ${JSON.stringify(bad)}`, refuses, image({ layers: [layer({ digest: bad })] }), /invalid digest in layers\[0\]/);
}
for (const bad of [-1, 1.5, 2 ** 60, '5', null]) {
  test(`size ${JSON.stringify(bad)}`, refuses, image({ layers: [layer({ size: bad })] }), /invalid size in layers\[0\]/);
}
test('an index of 1001 entries', refuses, { schemaVersion: 2, manifests: Array.from({ length: 1001 }, () => ({})) }, /index of 1001 entries, over 1000/, INDEX);
test('a media type deeper than the stack', t => {
  const deep = `{"schemaVersion":2,"mediaType":${'['.repeat(200_000)}${']'.repeat(200_000)}}`;
  t.throws(() => parseManifest(Buffer.from(deep), OCI), { code: 'FAILED_PRECONDITION', message: /^mediaType a list does not match/ });
});
test('bytes that are no JSON are refused', t => { t.throws(() => parseManifest(Buffer.from('{'), OCI), { code: 'FAILED_PRECONDITION', message: 'manifest is not JSON' }); });
test('an HTML page is called one', t => { t.throws(() => parseManifest(Buffer.from('\n<!DOCTYPE html><p>'), 'text/html'), { message: /^manifest is not JSON: the server answered with an HTML page; check that the address/ }); });
test('bytes that are no UTF-8 are refused', t => { t.throws(() => parseManifest(Buffer.from([0x22, 0xff, 0x22]), OCI), { message: 'manifest is not JSON' }); });

const PLATFORM = { os: 'linux', architecture: 'amd64' };
const configOf = (run: object, fields: object = {}): Buffer => Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', config: run, rootfs: { diff_ids: [digest] }, ...fields }));
test('a config gives what Gantry takes of it, and no more', t => {
  t.deepEqual(parseConfig(configOf({
    User: '1000:app', Env: ['A=1', 'NOEQUALS', '=x'], Entrypoint: ['/e'], Cmd: ['c'], WorkingDir: '/a//b/', StopSignal: 'SIGQUIT', Labels: { 'run.oci.hooks': 'x' },
  }), 1, PLATFORM), {
    config: { user: '1000:app', environment: ['A=1'], entrypoint: ['/e'], command: ['c'], workingDir: '/a/b/', stopSignal: 'SIGQUIT' }, diffIds: [digest],
  });
});
test('absent and null are empty', t => {
  t.deepEqual(parseConfig(configOf({ Env: null, Entrypoint: null }), 1, PLATFORM).config, { user: '', environment: [], entrypoint: [], command: [], workingDir: '/', stopSignal: '' });
});
const refusesConfig = test.macro({
  exec(t, bytes: Buffer, message: RegExp) { t.throws(() => parseConfig(bytes, 1, PLATFORM), { code: 'FAILED_PRECONDITION', message }); },
  title: (name = '') => `parseConfig refuses ${name}`,
});
test('another platform', refusesConfig, configOf({}, { architecture: 'arm64' }), /the image is for .*arm64.*, the node is linux\/amd64/);
test('another number of diff_ids', refusesConfig, configOf({}, { rootfs: { diff_ids: [] } }), /1 layers but 0 diff_ids/);
test('a bad diff_id', refusesConfig, configOf({}, { rootfs: { diff_ids: ['x'] } }), /invalid digest in rootfs.diff_ids\[0\]/);
for (const user of ['4294967296', '2147483648', '-1', '0x0', '1:2:3', 'a b', '1000:-1']) {
  test(`user ${user}`, refusesConfig, configOf({ User: user }), /invalid user in image config/);
}
test('the highest 31-bit user is fine', t => { t.is(parseConfig(configOf({ User: '2147483647' }), 1, PLATFORM).config.user, '2147483647'); });
for (const directory of ['/proc/self/fd/7', '/proc', '//proc/1', '/./proc/x']) {
  test(`working directory ${directory}`, refusesConfig, configOf({ WorkingDir: directory }), /under \/proc is refused/);
}
for (const directory of ['app', '../..', '/a/../../b']) {
  test(`working directory ${directory}`, refusesConfig, configOf({ WorkingDir: directory }), /is not an absolute path without/);
}
test('a command that is no list', refusesConfig, configOf({ Cmd: 'sh' }), /Cmd: expected a list/);
test('a command with a number', refusesConfig, configOf({ Cmd: [1] }), /Cmd: expected a list of texts/);

test('whatever one value of a manifest becomes, the answer is a manifest or a refusal in words', t => {
  const values: readonly unknown[] = [null, true, -1, 1.5, 2 ** 53, '', 'x', '\0', [], [[]], {}, { toString: 1 }, Array.from({ length: 2_000 }, () => ({}))];
  const index = { schemaVersion: 2, mediaType: INDEX, manifests: [{ mediaType: OCI, digest, size: 9, platform: { os: 'linux', architecture: 'arm', variant: 'v7' } }] };
  const config = { os: 'linux', architecture: 'amd64', config: { User: 'a', Env: ['A=1'], Entrypoint: ['/e'], Cmd: ['c'], WorkingDir: '/', StopSignal: 'SIGQUIT' }, rootfs: { diff_ids: [digest] } };
  const readers: readonly (readonly [object, (bytes: Buffer) => unknown])[] = [
    [image({ mediaType: OCI }), bytes => parseManifest(bytes, OCI)], [index, bytes => parseManifest(bytes, INDEX)], [config, bytes => parseConfig(bytes, 1, PLATFORM)],
  ];
  for (const [whole, read] of readers) {
    for (const changed of changes(whole, values)) {
      try {
        read(Buffer.from(JSON.stringify(changed)));
      } catch (error) {
        t.like(error, { name: 'ClusterError', code: 'FAILED_PRECONDITION' }, JSON.stringify(changed).slice(0, 300));
        t.true((error as Error).message.length < 500);
      }
    }
  }
});

/** Copies of `value`, in each of which one value in it is another. */
function changes(value: unknown, values: readonly unknown[]): readonly unknown[] {
  if (typeof value !== 'object' || value === null) return values;
  const inner = Object.entries(value).flatMap(([key, child]) => changes(child, values).map(other => (Array.isArray(value) ? value.map((one: unknown, at) => (String(at) === key ? other : one)) : { ...value, [key]: other })));
  return [...values, ...inner];
}
