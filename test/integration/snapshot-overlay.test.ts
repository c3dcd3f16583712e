import { lstatSync, readFileSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { OverlaySnapshotter } from '../../agent/snapshot/overlay-fs.ts';
import { rootfsSnapshotterContract } from '../contract/rootfs-snapshotter-contract.ts';
import { HOST_BASE, mountsBelow, useSnapshots } from '../support/snapshot-bench.ts';
import type { SnapshotBench } from '../support/snapshot-bench.ts';

const SIGNAL = new AbortController().signal;
const use = (body: (bench: SnapshotBench) => Promise<void>): Promise<void> => useSnapshots(options => new OverlaySnapshotter(options), 'disk', body);

rootfsSnapshotterContract(test, 'overlay (needs root)', async (_, body) => { await use(body); });

test.serial('overlay (needs root): ids show shifted, whiteouts hide, the layer on disk is untouched', t => use(async ({ snapshotter, mapping, layers, statePath }) => {
  const { rootfsPath } = await snapshotter.prepare('web-1', layers, mapping, SIGNAL);
  t.deepEqual(readdirSync(rootfsPath).sort(), ['dev', 'etc', 'high', 'low', 'proc', 'sys']);
  t.like(statSync(path.join(rootfsPath, 'low')), { uid: HOST_BASE + 5, gid: HOST_BASE + 6 });
  t.like(statSync(rootfsPath), { uid: HOST_BASE, gid: HOST_BASE });
  writeFileSync(path.join(rootfsPath, 'low'), 'changed');
  const inLayer = path.join(statePath, 'layers', 'a'.repeat(64), 'low');
  t.is(readFileSync(inLayer, 'utf8'), 'low');
  t.like(statSync(inLayer), { uid: 5, gid: 6 });
  await snapshotter.remove('web-1');
}));

test.serial('overlay (needs root): one mount a snapshot stays, the clone of the store does not', t => use(async ({ snapshotter, mapping, layers, statePath }) => {
  await snapshotter.prepare('web-1', layers, mapping, SIGNAL);
  t.is(mountsBelow(statePath).length, 1);
  await snapshotter.remove('web-1');
  t.is(mountsBelow(statePath).length, 0);
}));

test.serial('overlay (needs root): 127 layers, more than one page of options, mount', t => use(async ({ snapshotter, mapping, addLayer }) => {
  const layers = Array.from({ length: 127 }, (_, index) => index.toString(16).padStart(64, '0'));
  for (const layer of layers) {
    addLayer(layer, directory => { writeFileSync(path.join(directory, layer.slice(-2)), layer); });
  }
  const { rootfsPath } = await snapshotter.prepare('deep', layers, mapping, SIGNAL);
  t.is(readdirSync(rootfsPath).length, 127 + 4);
  await snapshotter.remove('deep');
}));

test.serial('overlay (needs root): an image without layers has the mount points alone', t => use(async ({ snapshotter, mapping }) => {
  const { rootfsPath } = await snapshotter.prepare('empty', [], mapping, SIGNAL);
  t.deepEqual(readdirSync(rootfsPath, { recursive: true }).sort(), ['dev', 'etc', 'etc/hostname', 'etc/hosts', 'etc/resolv.conf', 'proc', 'sys']);
  await snapshotter.remove('empty');
}));

for (const name of ['dev', 'proc', 'sys']) {
  test.serial(`overlay (needs root): a link at /${name} is refused and nothing stays`, t => use(async ({ snapshotter, mapping, layers, addLayer, statePath }) => {
    addLayer('c'.repeat(64), directory => { symlinkSync('/tmp', path.join(directory, name)); });
    await t.throwsAsync(snapshotter.prepare('web-1', [...layers, 'c'.repeat(64)], mapping, SIGNAL), {
      code: 'FAILED_PRECONDITION', message: `container refused: '/${name}' in the image is a symlink`,
    });
    t.deepEqual(await snapshotter.list(), []);
    t.is(mountsBelow(statePath).length, 0);
  }));
}

test.serial('overlay (needs root): after a crash between mount and end, remove takes it all', t => use(async ({ snapshotter, again, mapping, layers, statePath }) => {
  await snapshotter.prepare('web-1', layers, mapping, SIGNAL);
  const second = again();
  t.deepEqual(await second.list(), ['web-1']);
  t.true(await second.isMounted('web-1'));
  await second.remove('web-1');
  await second.settled();
  t.is(lstatSync(path.join(statePath, 'snapshots'), { throwIfNoEntry: true }).isDirectory(), true);
  t.deepEqual(readdirSync(path.join(statePath, 'snapshots')), []);
}));
