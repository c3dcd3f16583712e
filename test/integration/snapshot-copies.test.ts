/** needs root, loop devices, btrfs: root file systems that are copies or snapshots, not overlays. */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdir, rename, rm, statfs } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { isSubvolume } from '../../agent/kernel/btrfs-syscall.ts';
import { setAttribute, openDirectoryForAttributes } from '../../agent/kernel/file-syscall.ts';
import { btrfsSnapshotter } from '../../agent/snapshot/btrfs-fs.ts';
import { openSnapshotter, probeDrivers } from '../../agent/snapshot/open-snapshotter-fs.ts';
import { mergeLayers } from '../../agent/snapshot/tree-merge-fs.ts';
import { vfsSnapshotter } from '../../agent/snapshot/vfs-fs.ts';
import { rootfsSnapshotterContract } from '../contract/rootfs-snapshotter-contract.ts';
import { whyNoLoopDisk } from '../support/loop-disk.ts';
import { run } from '../support/node-namespaces.ts';
import { mountsBelow, useSnapshots } from '../support/snapshot-bench.ts';
import type { SnapshotBench } from '../support/snapshot-bench.ts';

const SIGNAL = new AbortController().signal;
const useVfs = (body: (bench: SnapshotBench) => Promise<void>): Promise<void> => useSnapshots(vfsSnapshotter, 'disk', body);
const useBtrfs = (body: (bench: SnapshotBench) => Promise<void>): Promise<void> => useSnapshots(btrfsSnapshotter, 'btrfs', body);

rootfsSnapshotterContract(test, 'vfs (needs root)', async (_, body) => { await useVfs(body); });
if (whyNoLoopDisk() === undefined) {
  rootfsSnapshotterContract(test, 'btrfs (needs root, loop devices)', async (_, body) => { await useBtrfs(body); });
} else {
  test.skip(`RootfsSnapshotter, btrfs: ${whyNoLoopDisk() ?? ''}`, () => undefined);
}

for (const [driver, use] of [['vfs', useVfs], ['btrfs', useBtrfs]] as const) {
  test.serial(`${driver}: a link at /dev is refused and nothing stays`, t => use(async ({ snapshotter, mapping, layers, addLayer, statePath }) => {
    addLayer('c'.repeat(64), directory => { symlinkSync('/tmp', path.join(directory, 'dev')); });
    await t.throwsAsync(snapshotter.prepare('web-1', [...layers, 'c'.repeat(64)], mapping, SIGNAL), {
      code: 'FAILED_PRECONDITION', message: "container refused: '/dev' in the image is a symlink",
    });
    t.deepEqual(await snapshotter.list(), []);
    t.is(mountsBelow(statePath).length, 0);
  }));
  test.serial(`${driver}: the next start takes away what a killed one had mounted, was building and was deleting`, t => use(async ({ snapshotter, again, mapping, layers, statePath }) => {
    await snapshotter.prepare('web-1', layers, mapping, SIGNAL);
    const trash = path.join(statePath, 'snapshots-trash/dead-1');
    await mkdir(trash);
    await mkdir(path.join(statePath, 'snapshot-bases/.new-dead-1'), { recursive: true });
    const inside = path.join(statePath, 'snapshots/web-1/tree');
    // A copy that was not finished, as the kill left it.
    await mkdir(path.join(statePath, 'snapshots/half/tree'), { recursive: true });
    const second = again();
    t.deepEqual(await second.list(), ['half', 'web-1']);
    t.true(await second.isMounted('web-1'));
    t.false(await second.isMounted('half'));
    for (const key of await second.list()) await second.remove(key);
    await second.settled();
    t.throws(() => statSync(inside), { code: 'ENOENT' });
    t.deepEqual(readdirSync(path.join(statePath, 'snapshots')), []);
    t.deepEqual(readdirSync(path.join(statePath, 'snapshots-trash')), []);
    t.deepEqual(readdirSync(path.join(statePath, 'snapshot-bases')).filter(name => name.startsWith('.')), []);
  }));
  test.serial(`${driver}: 127 layers`, t => use(async ({ snapshotter, mapping, addLayer }) => {
    const many = Array.from({ length: 127 }, (_, index) => index.toString(16).padStart(64, '0'));
    for (const layer of many) {
      addLayer(layer, directory => {
        writeFileSync(path.join(directory, layer.slice(-2)), layer);
        writeFileSync(path.join(directory, 'last'), layer);
      });
    }
    const { rootfsPath } = await snapshotter.prepare('deep', many, mapping, SIGNAL);
    t.is(readdirSync(rootfsPath).length, 127 + 4);
    t.is(readFileSync(path.join(rootfsPath, 'last'), 'utf8'), many.at(-1) ?? '');
    await snapshotter.remove('deep');
  }));
}

test.serial('btrfs: containers of one image share a base, which goes when a layer of it went', t => useBtrfs(async ({ snapshotter, mapping, layers, addLayer, statePath, layersPath }) => {
  addLayer('c'.repeat(64), directory => { writeFileSync(path.join(directory, 'big'), Buffer.alloc(20 * 2 ** 20, 'not only zeros')); });
  run('sync', '-f', statePath);
  const used = async (): Promise<number> => {
    run('sync', '-f', statePath);
    const { blocks, bfree, bsize } = await statfs(statePath);
    return (blocks - bfree) * bsize;
  };
  const before = await used();
  for (const key of ['one', 'two', 'three']) await snapshotter.prepare(key, [...layers, 'c'.repeat(64)], mapping, SIGNAL);
  t.true(isSubvolume(statSync(path.join(statePath, 'snapshots/one/tree')).ino));
  t.true(await used() - before < 10 * 2 ** 20, 'three root file systems and a base take no space for what the layer has');
  const bases = (): readonly string[] => readdirSync(path.join(statePath, 'snapshot-bases'));
  t.is(bases().length, 1);
  await rename(path.join(layersPath, 'c'.repeat(64)), path.join(statePath, 'away'));
  for (const key of ['one', 'two', 'three']) await snapshotter.remove(key);
  await snapshotter.settled();
  t.deepEqual(bases(), []);
  t.is(run('btrfs', 'subvolume', 'list', statePath), '', 'no subvolume stays');
  await rm(path.join(statePath, 'away'), { recursive: true });
}));

test.serial('btrfs: a subvolume that the container made goes too', t => useBtrfs(async ({ snapshotter, mapping, layers, statePath }) => {
  const { rootfsPath } = await snapshotter.prepare('web-1', layers, mapping, SIGNAL);
  run('btrfs', 'subvolume', 'create', path.join(statePath, 'snapshots/web-1/tree/inner'));
  t.true(readdirSync(rootfsPath).includes('inner'));
  await snapshotter.remove('web-1');
  await snapshotter.settled();
  t.deepEqual(readdirSync(path.join(statePath, 'snapshots-trash')), []);
}));

test.serial('every driver is tried on the disk: ext4 has no btrfs, btrfs has all', async t => {
  await useVfs(async ({ statePath, layersPath }) => {
    t.deepEqual([...(await probeDrivers(statePath)).keys()], ['btrfs']);
    const opened = await openSnapshotter('auto', { statePath, layersPath, prefix: 'x' });
    t.is(opened.snapshots.driver, 'overlay');
    await t.throwsAsync(openSnapshotter('btrfs', { statePath, layersPath, prefix: 'x' }), { code: 'FAILED_PRECONDITION', message: /no snapshot driver works here \(btrfs: .*ENOTTY/ });
    t.is((await openSnapshotter('vfs', { statePath, layersPath, prefix: 'x' })).choice.why, 'as configured');
    t.false(readdirSync(statePath).includes('snapshot-probe'));
  });
  await useBtrfs(async ({ statePath, layersPath }) => {
    t.deepEqual([...(await probeDrivers(statePath)).keys()], []);
    t.is((await openSnapshotter('btrfs', { statePath, layersPath, prefix: 'x' })).snapshots.driver, 'btrfs');
    t.false(readdirSync(statePath).includes('snapshot-probe'));
  });
});

test.serial('on an overlay, overlay does not work and vfs does (needs root)', async t => {
  const top = mkdtempSync('/var/tmp/gantry-nested-');
  const merged = path.join(top, 'merged');
  for (const name of ['lower', 'upper', 'work', 'merged']) mkdirSync(path.join(top, name));
  run('mount', '-t', 'overlay', 'overlay', '-o', `lowerdir=${top}/lower,upperdir=${top}/upper,workdir=${top}/work`, merged);
  try {
    t.deepEqual([...(await probeDrivers(merged)).keys()], ['overlay', 'btrfs']);
    t.is((await openSnapshotter('auto', { statePath: merged, layersPath: merged, prefix: 'x' })).snapshots.driver, 'vfs');
  } finally {
    run('umount', merged);
    rmSync(top, { recursive: true });
  }
});

test.serial('merged layers are what overlayfs shows of them (needs root)', t => {
  const top = mkdtempSync('/var/tmp/gantry-merge-');
  const [low, high, out] = ['low', 'high', 'out'].map(name => path.join(top, name)) as [string, string, string];
  try {
    for (const directory of ['low/a/deep', 'low/b', 'high/a', 'high/file', 'out']) mkdirSync(path.join(top, directory), { recursive: true });
    for (const file of ['low/a/old', 'low/a/deep/old', 'low/b/gone', 'low/file', 'high/a/new', 'high/b', 'high/file/in']) writeFileSync(path.join(top, file), file);
    run('ln', path.join(low, 'a/old'), path.join(low, 'name'));
    const opaque = openDirectoryForAttributes(-100, path.join(high, 'a'));
    setAttribute(opaque, 'trusted.overlay.opaque', Buffer.from('y'));
    mergeLayers([low, high], out);
    t.deepEqual(readdirSync(out, { recursive: true }).sort(), ['a', 'a/new', 'b', 'file', 'file/in', 'name']);
    t.is(readFileSync(path.join(out, 'name'), 'utf8'), 'low/a/old');
  } finally {
    rmSync(top, { recursive: true });
  }
});
