import { readFile, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Returns `major:minor` of the whole disk that holds `directory`; undefined if no single block
 * device does (tmpfs, overlay, a network file system). Limits apply to disks: a partition returns
 * ENODEV. Source: Linux, block/blk-cgroup.c, blkg_conf_open_bdev; sysfs(5), /sys/dev/block
 */
export async function diskOf(directory: string): Promise<string | undefined> {
  const { dev } = await stat(directory);
  const device = await realpath(`/sys/dev/block/${String(major(dev))}:${String(minor(dev))}`).catch(() => undefined);
  if (device === undefined) {
    return undefined;
  }
  const isPartition = await stat(`${device}/partition`).then(() => true, () => false);
  return (await readFile(`${isPartition ? dirname(device) : device}/dev`, 'utf8')).trim();
}

/**
 * Source: Linux, include/uapi/linux/kdev_t.h as in sys/sysmacros.h of glibc, for numbers below 2^32
 */
function major(dev: number): number {
  return (dev >>> 8) & 0xfff;
}

function minor(dev: number): number {
  return (dev & 0xff) | ((dev >>> 12) & 0xfff00);
}
