import { existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { requireCommand } from '#kit/command-process.ts';
import { ClusterError } from '#model/errors.ts';
import type { DiskImageStore } from '../../agent/image/image-store.ts';
import type { LocalImage } from '../../agent/image/ports.ts';
import { OverlaySnapshotter } from '../../agent/snapshot/overlay-fs.ts';
import { eventually } from '../support/dev-cluster.ts';
import { startFakeRegistry } from '../support/fake-registry.ts';
import type { FakeRegistry } from '../support/fake-registry.ts';
import { buildRecipe } from '../support/image-builder.ts';
import type { ImageRecipe } from '../support/image-builder.ts';
import { NO_SIGNAL, listLeftovers, makeStateDirectory, openStore, plain } from '../support/image-fixture.ts';
import { unmountDisk } from '../support/loop-disk.ts';
import { isMountPoint } from '../support/snapshot-bench.ts';
import { holdUserNamespace } from '../support/user-namespace-process.ts';
import type { HeldUserNamespace } from '../support/user-namespace-process.ts';

interface BadImage {
  readonly id: string;
  readonly intent: string;
  readonly recipe: ImageRecipe;
  readonly expect: { readonly outcome: 'reject' | 'ok' | 'contained' | 'runtime-fail' };
}

interface Bench {
  readonly fake: FakeRegistry;
  readonly store: DiskImageStore;
  readonly statePath: string;
  readonly held: HeldUserNamespace;
}

type Inspect = (t: ExecutionContext, rootfs: string, image: LocalImage) => void;

const CASES = readFileSync(new URL('../fixtures/badinputs/images.jsonl', import.meta.url), 'utf8').trim().split('\n').map(line => JSON.parse(line) as BadImage);

/** What the refusal says, in the sense of `expect.says`. */
const REFUSALS: Readonly<Record<string, RegExp>> = {
  i001: /entry '\.\.\/evil' escapes the layer/, i009: /hardlink target 'etc\/passwd' is not in this image/, i011: /hardlink target .* is not in this image/,
  i013: /whiteout '\.wh\.\.\.' escapes the layer/, i015: /invalid whiteout name/, i027: /unexpected end of layer in entry 'a'/,
  i029: /bad tar header at offset 0 \(checksum\)/, i031: /path longer than 4096 bytes/, i035: /PAX header over 1 MiB/, i039: /path contains NUL/,
  i041: /container refused: '\/dev' in the image is a symlink/, i045: /larger than the limit|more than 1000 times/, i047: /gzip checksum mismatch/,
  i049: /unsupported layer media type/, i051: /got \d+ of \d+ bytes/, i053: /layer 0: diff_id mismatch/, i055: /invalid digest in layers\[0\]/,
  i057: /invalid size in layers\[0\]/, i059: /manifest over 4 MiB/, i061: /over 4 MiB|over 1000/, i063: /does not match Content-Type/, i065: /manifest: expected an object/,
  i069: /foreign layers are not fetched/, i071: /invalid user in image config: .*31-bit number/, i073: /working directory .* under \/proc is refused/,
  i081: /token realm host .* not allowed/, i083: /too many redirects \(5\)/, i087: /digest mismatch|cannot be inflated/, i089: /capped at 5 min/,
  i093: /layer \d: no space left while unpacking/, i095: /asks for a login \(401\)/,
};

const FILES = (rootfs: string): readonly string[] => readdirSync(rootfs).filter(name => !isMountPoint(name)).sort();

/** What a usable image shows. */
const USABLE: Readonly<Record<string, Inspect>> = {
  i003: (t, rootfs) => { t.is(readFileSync(path.join(rootfs, 'etc/evil'), 'utf8'), 'x'); t.false(existsSync('/etc/evil')); },
  i017: (t, rootfs) => { t.deepEqual(FILES(rootfs), ['c']); },
  i019: (t, rootfs) => { t.is(readFileSync(path.join(rootfs, 'a'), 'utf8'), 'new'); },
  i021: (t, rootfs) => { t.deepEqual(FILES(rootfs), ['d']); t.deepEqual(readdirSync(path.join(rootfs, 'd')), []); },
  i023: (t, rootfs) => { t.deepEqual(FILES(rootfs), ['fifo']); t.true(statSync(path.join(rootfs, 'fifo')).isFIFO()); },
  i025: (t, rootfs) => { t.deepEqual(FILES(rootfs), ['bin']); },
  i043: (t, rootfs) => { for (const name of ['hosts', 'resolv.conf']) t.true(lstatSync(path.join(rootfs, 'etc', name)).isSymbolicLink()); },
  i067: (t, rootfs) => { t.deepEqual(FILES(rootfs), []); },
  // The runtime asks for a command when neither image nor service has one; here it must see that the image has none.
  i077: (t, _, image) => { t.deepEqual([image.config.entrypoint, image.config.command], [[], []]); },
  i079: (t, rootfs) => { t.deepEqual(FILES(rootfs), ['bin']); },
  i085: (t, rootfs) => { t.is(readFileSync(path.join(rootfs, 'bin/x'), 'utf8'), '#!'); },
  i091: (t, rootfs) => { t.deepEqual(FILES(rootfs), ['bin']); },
};

/** Accepted like any image by the pull; refused elsewhere. */
const REFUSED_ELSEWHERE = new Set(['i077']);
/** Partials of a blob that was honest so far may stay. */
const MAY_LEAVE_PARTIAL = new Set(['i051', 'i083']);

let bench: Bench & { readonly stack: AsyncDisposableStack };

test.before(async () => {
  const stack = new AsyncDisposableStack();
  const state = stack.use(await makeStateDirectory());
  const fake = stack.use(await startFakeRegistry());
  const store = stack.use(openStore(state.path, { registries: plain(fake.registry) }));
  const held = stack.use(await holdUserNamespace(3_200_000));
  bench = { fake, store, statePath: state.path, held, stack };
});
test.after.always(async () => { await bench.stack.disposeAsync(); });

for (const one of CASES) {
  if (one.recipe.disk === undefined && one.recipe.ref === undefined) {
    test.serial(`${one.id}: ${one.intent} (needs root)`, t => withCanary(t, async () => {
      await judge(t, bench, one);
      await judge(t, bench, one);
    }));
  }
}

async function judge(t: ExecutionContext, { fake, store, statePath, held }: Bench, one: BadImage): Promise<void> {
  const built = buildRecipe(one.recipe);
  fake.serve(built.served, built.script);
  await store.prune(new Set());
  const snapshotter = new OverlaySnapshotter({ layersPath: path.join(statePath, 'layers'), statePath, prefix: 'bad' });
  await snapshotter.prepare('first', [], held.mapping, NO_SIGNAL); // makes what it keeps for all
  await snapshotter.remove('first');
  await snapshotter.settled();
  const before = await listLeftovers(statePath);
  const ensure = (): Promise<LocalImage> => store.ensure({ image: `${fake.registry}/bad/${one.id}:v1`, digest: built.digest }, () => undefined, NO_SIGNAL);
  const problem = await Promise.all(Array.from({ length: one.recipe.concurrent ?? 1 }, ensure)).then(async ([image]) => {
    if (image === undefined) throw new Error('no image');
    const { rootfsPath } = await snapshotter.prepare('bad', image.layers, held.mapping, NO_SIGNAL);
    USABLE[one.id]?.(t, rootfsPath, image);
    await snapshotter.remove('bad');
    await snapshotter.settled();
    return undefined;
  }).catch((error: unknown) => error);
  const isRefused = problem !== undefined;
  if (isRefused && !(problem instanceof ClusterError)) throw new Error(`${one.id} fails otherwise`, { cause: problem });
  if (one.expect.outcome === 'reject' && !REFUSED_ELSEWHERE.has(one.id)) {
    const says = REFUSALS[one.id];
    if (says === undefined) throw new Error(`no expected message for ${one.id}`);
    t.regex(problem?.message ?? 'accepted', says);
  } else if (one.expect.outcome !== 'contained') {
    t.is(problem, undefined);
    t.truthy(USABLE[one.id], 'a usable image is looked into');
  }
  await store.prune(new Set(isRefused ? [built.digest] : []));
  const left = (await listLeftovers(statePath)).filter(name => !(MAY_LEAVE_PARTIAL.has(one.id) && name.startsWith('partials/')));
  t.deepEqual(left, before, 'nothing is left');
}

/** Files outside of every layer, with the names the cases aim at, must stay as they are. */
async function withCanary(t: ExecutionContext, body: () => Promise<void>): Promise<void> {
  const canary = '/tmp/canary';
  const isOurs = !existsSync(canary);
  if (isOurs) {
    mkdirSync(canary);
    writeFileSync(path.join(canary, 'bird'), 'alive');
  }
  const host = ['/etc/passwd', '/etc/shadow', '/etc/hosts', canary, path.join(canary, 'bird')];
  const picture = (): readonly string[] => host.map(file => `${file} ${String(statSync(file).ino)} ${String(statSync(file).mtimeMs)} ${String(statSync(file).nlink)}`);
  const before = picture();
  try {
    await body();
    t.deepEqual(picture(), before);
    t.deepEqual(['/evil', '/tmp/evil', path.join(bench.statePath, 'evil')].filter(file => existsSync(file)), []);
  } finally {
    if (isOurs) rmSync(canary, { recursive: true });
  }
}

test.serial('i093: disk full in the middle of unpack (needs root, loop devices)', async t => {
  const one = CASES.find(candidate => candidate.recipe.disk !== undefined);
  t.is(one?.id, 'i093');
  await using state = await makeStateDirectory();
  const file = path.join(state.path, 'disk');
  const mountPoint = path.join(state.path, 'mnt');
  mkdirSync(mountPoint);
  await requireCommand('truncate', ['-s', '64M', file]);
  await requireCommand('mkfs.ext4', ['-q', '-F', file]);
  await requireCommand('mount', ['-o', 'loop', file, mountPoint]);
  try {
    await using store = openStore(mountPoint, { registries: plain(bench.fake.registry) });
    await store.prune(new Set());
    const freeBefore = await freeBytes(mountPoint);
    const built = buildRecipe({ layers: [[{ t: 'f', n: 'small', data: 'x' }], [{ t: 'f', n: 'big', data: Buffer.alloc(100 * 2 ** 20, 'not much entropy, still 100 MiB') }]] });
    bench.fake.serve(built.served);
    await t.throwsAsync(store.ensure({ image: `${bench.fake.registry}/full:v1`, digest: built.digest }, () => undefined, NO_SIGNAL), {
      code: 'RESOURCE_EXHAUSTED', message: REFUSALS['i093'] ?? /never/,
    });
    t.deepEqual((await listLeftovers(mountPoint)).filter(name => !name.startsWith('layer')), []);
    await store.prune(new Set());
    // The extractor holds its files until its end is through.
    await eventually('the space back', 60_000, async () => await freeBytes(mountPoint) >= freeBefore - 2 ** 20);
  } finally {
    await unmountDisk(mountPoint);
  }
});

async function freeBytes(directory: string): Promise<number> {
  const { bfree, bsize } = await statfs(directory);
  return bfree * bsize;
}

test.serial('i095: a private image that one namespace has is checked again for another (needs root)', async t => {
  const one = CASES.find(candidate => candidate.recipe.ref === 'private');
  t.is(one?.id, 'i095');
  await using state = await makeStateDirectory();
  const login = { username: 'a', password: 'secret' };
  await using store = openStore(state.path, {
    registries: plain(bench.fake.registry), credentials: request => Promise.resolve(request.namespace === 'a' ? login : undefined),
  });
  const built = buildRecipe({});
  bench.fake.serve(built.served, { login });
  const request = { image: `${bench.fake.registry}/private:v1`, digest: built.digest };
  await store.ensure({ ...request, namespace: 'a' }, () => undefined, NO_SIGNAL);
  await t.throwsAsync(store.ensure({ ...request, namespace: 'b' }, () => undefined, NO_SIGNAL), { code: 'PERMISSION_DENIED', message: REFUSALS['i095'] ?? /never/ });
  await t.notThrowsAsync(store.ensure({ ...request, namespace: 'a' }, () => undefined, NO_SIGNAL));
});

test('every case that the fixture has is looked into', t => {
  t.deepEqual(CASES.filter(one => one.expect.outcome === 'ok' && USABLE[one.id] === undefined).map(one => one.id), []);
});
