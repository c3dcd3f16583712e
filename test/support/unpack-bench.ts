/** Our unpacking against another's: an image pulled from a registry and stacked by a driver, beside what somebody else makes of the same bytes. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { buildImage } from '#registry/image-build.ts';
import { OverlaySnapshotter } from '../../agent/snapshot/overlay-fs.ts';
import { mergeLayers } from '../../agent/snapshot/tree-merge-fs.ts';
import { startFakeRegistry } from './fake-registry.ts';
import { NO_SIGNAL, PLATFORM, makeStateDirectory, openStore, plain } from './image-fixture.ts';
import type { OddImage } from './odd-images.ts';
import { unpackWithTar, unpackWithUmoci } from './other-unpackers-process.ts';
import { isMountPoint } from './snapshot-bench.ts';
import { differences, pictureOf } from './tree-picture.ts';
import { holdUserNamespace } from './user-namespace-process.ts';

const HOST_BASE = 3_300_000;

export interface UnpackBench extends AsyncDisposable {
  /** Asserts that both make the same of it: stacked by overlayfs, and copied into one tree. @returns how many paths that is */
  compare(t: ExecutionContext, odd: OddImage): Promise<number>;
}

export async function openUnpackBench(): Promise<UnpackBench> {
  await using stack = new AsyncDisposableStack();
  const statePath = stack.use(await makeStateDirectory()).path;
  const fake = stack.use(await startFakeRegistry());
  const held = stack.use(await holdUserNamespace(HOST_BASE));
  const store = stack.use(openStore(statePath, { registries: plain(fake.registry) }));
  const owned = stack.move();
  return {
    compare: async (t, odd) => {
      const built = buildImage({ architecture: PLATFORM.architecture, config: {}, layers: odd.layers });
      fake.serve({ manifests: new Map([[built.digest, { mediaType: built.mediaType, bytes: built.manifest }]]), blobs: new Map(built.blobs.map(blob => [blob.digest, blob.bytes])) });
      const image = await store.ensure({ image: `${fake.registry}/odd:v1`, digest: built.digest }, () => undefined, NO_SIGNAL);
      const snapshotter = new OverlaySnapshotter({ layersPath: path.join(statePath, 'layers'), statePath, prefix: 'odd' });
      const theirs = mkdtempSync('/var/tmp/gantry-umoci-');
      const isLeftOut = (at: string): boolean => odd.isLeftOut?.(at) ?? false;
      try {
        const { rootfsPath } = await snapshotter.prepare('odd', image.layers, held.mapping, NO_SIGNAL);
        const expected = pictureOf(odd.unpacker === 'umoci' ? unpackWithUmoci(built, theirs) : unpackWithTar(odd.layers, theirs), { isLeftOut });
        const isMade = (at: string): boolean => isMountPoint(at) && !expected.has(at);
        const isFree = (at: string): boolean => isTimeless(odd.timeless ?? [], at);
        t.deepEqual(differences(pictureOf(rootfsPath, { idBase: HOST_BASE, isLeftOut: at => isMade(at) || isLeftOut(at) }), expected, isFree), []);
        const merged = path.join(theirs, 'merged');
        mkdirSync(merged);
        mergeLayers(image.layers.map(layer => path.join(statePath, 'layers', layer)), merged);
        t.deepEqual(differences(pictureOf(merged, { isLeftOut }), expected, isFree), [], 'copied into one tree, as the drivers without overlay do');
        return expected.size;
      } finally {
        rmSync(theirs, { recursive: true });
        await snapshotter.remove('odd');
        await snapshotter.settled();
      }
    },
    [Symbol.asyncDispose]: async () => { await owned.disposeAsync(); },
  };
}

/** The root's time is that of what is mounted over it. A name with a star stands for every path that begins with it. */
function isTimeless(timeless: readonly string[], at: string): boolean {
  return at === '.' || timeless.some(one => one.endsWith('*') ? at.startsWith(one.slice(0, -1)) : one === at);
}
