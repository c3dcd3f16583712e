import { chmodSync, lchownSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { buildImage } from '#registry/image-build.ts';
import { OverlaySnapshotter } from '../../agent/snapshot/overlay-fs.ts';
import { mergeLayers } from '../../agent/snapshot/tree-merge-fs.ts';
import { startFakeRegistry } from '../support/fake-registry.ts';
import type { FakeRegistry } from '../support/fake-registry.ts';
import { NO_SIGNAL, PLATFORM, makeStateDirectory, openStore, plain } from '../support/image-fixture.ts';
import { oddImages } from '../support/odd-images.ts';
import { run } from '../support/node-namespaces.ts';
import { isMountPoint } from '../support/snapshot-bench.ts';
import { differences, pictureOf } from '../support/tree-picture.ts';
import { unpackWithTar, unpackWithUmoci } from '../support/other-unpackers-process.ts';
import { holdUserNamespace } from '../support/user-namespace-process.ts';
import type { HeldUserNamespace } from '../support/user-namespace-process.ts';

const HOST_BASE = 3_300_000;

let bench: { readonly fake: FakeRegistry; readonly statePath: string; readonly held: HeldUserNamespace; readonly store: ReturnType<typeof openStore>; readonly stack: AsyncDisposableStack };
test.before(async () => {
  const stack = new AsyncDisposableStack();
  const statePath = stack.use(await makeStateDirectory()).path;
  const fake = stack.use(await startFakeRegistry());
  bench = { fake, statePath, held: stack.use(await holdUserNamespace(HOST_BASE)), store: stack.use(openStore(statePath, { registries: plain(fake.registry) })), stack };
});
test.after.always(async () => { await bench.stack.disposeAsync(); });

for (const odd of oddImages()) {
  test.serial(`${odd.unpacker} makes the same of: ${odd.name} (needs root, umoci)`, async t => {
    const { fake, store, statePath, held } = bench;
    const built = buildImage({ architecture: PLATFORM.architecture, config: {}, layers: odd.layers });
    fake.serve({ manifests: new Map([[built.digest, { mediaType: built.mediaType, bytes: built.manifest }]]), blobs: new Map(built.blobs.map(blob => [blob.digest, blob.bytes])) });
    const image = await store.ensure({ image: `${fake.registry}/odd:v1`, digest: built.digest }, () => undefined, NO_SIGNAL);
    const snapshotter = new OverlaySnapshotter({ layersPath: path.join(statePath, 'layers'), statePath, prefix: 'odd' });
    const theirs = mkdtempSync('/var/tmp/gantry-umoci-');
    try {
      const { rootfsPath } = await snapshotter.prepare('odd', image.layers, held.mapping, NO_SIGNAL);
      const expected = pictureOf(odd.unpacker === 'umoci' ? unpackWithUmoci(built, theirs) : unpackWithTar(odd.layers, theirs));
      const ours = pictureOf(rootfsPath, { idBase: HOST_BASE, isLeftOut: path => isMountPoint(path) && !expected.has(path) });
      const isFree = (at: string): boolean => isTimeless(odd.timeless ?? [], at);
      t.deepEqual(differences(ours, expected, isFree), []);
      const merged = path.join(theirs, 'merged');
      mkdirSync(merged);
      mergeLayers(image.layers.map(layer => path.join(statePath, 'layers', layer)), merged);
      t.deepEqual(differences(pictureOf(merged), expected, isFree), [], 'copied into one tree, as the drivers without overlay do');
    } finally {
      rmSync(theirs, { recursive: true });
      await snapshotter.remove('odd');
      await snapshotter.settled();
    }
  });
}

/** The root's time is that of what is mounted over it. A name with a star stands for every path that begins with it. */
function isTimeless(timeless: readonly string[], path: string): boolean {
  return path === '.' || timeless.some(one => one.endsWith('*') ? path.startsWith(one.slice(0, -1)) : one === path);
}

const CHANGES: Readonly<Record<string, (tree: string) => void>> = {
  contents: tree => { writeFileSync(path.join(tree, 'a'), 'B'); utimesSync(path.join(tree, 'a'), 1, 1); },
  size: tree => { truncateSync(path.join(tree, 'a'), 2); utimesSync(path.join(tree, 'a'), 1, 1); },
  mode: tree => { chmodSync(path.join(tree, 'a'), 0o4644); },
  owner: tree => { lchownSync(path.join(tree, 'l'), 1, 0); },
  time: tree => { utimesSync(path.join(tree, 'd'), 1, 1.001); },
  'a link\'s text': tree => { rmSync(path.join(tree, 'l')); symlinkSync('b', path.join(tree, 'l')); },
  kind: tree => { rmSync(path.join(tree, 'd'), { recursive: true }); writeFileSync(path.join(tree, 'd'), ''); },
  'a path less': tree => { rmSync(path.join(tree, 'a')); },
  'a path more': tree => { mkdirSync(path.join(tree, 'more')); },
  'a second name': tree => { rmSync(path.join(tree, 'h')); writeFileSync(path.join(tree, 'h'), 'A'); utimesSync(path.join(tree, 'h'), 1, 1); },
  'an attribute': tree => { run('python3', '-c', 'import os, sys; os.setxattr(sys.argv[1], "user.x", b"y")', path.join(tree, 'a')); utimesSync(path.join(tree, 'a'), 1, 1); },
};

for (const [what, change] of Object.entries(CHANGES)) {
  test(`the comparer sees ${what} (needs root)`, t => {
    const directory = mkdtempSync('/var/tmp/gantry-picture-');
    try {
      const tree = (name: string): string => {
        const at = path.join(directory, name);
        mkdirSync(path.join(at, 'd'), { recursive: true });
        writeFileSync(path.join(at, 'a'), 'A');
        linkSync(path.join(at, 'a'), path.join(at, 'h'));
        symlinkSync('a', path.join(at, 'l'));
        run('touch', '-h', '-d', '@1', path.join(at, 'a'), path.join(at, 'd'), path.join(at, 'l'), at);
        return at;
      };
      const [one, other] = [tree('one'), tree('other')];
      t.deepEqual(differences(pictureOf(one), pictureOf(other)), []);
      change(other);
      t.not(differences(pictureOf(one), pictureOf(other), path => path === '.').length, 0);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
}
