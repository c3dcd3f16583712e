import { readFile, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * `major:minor` of the whole disk that has `directory`; undefined where no single block device has it: tmpfs, overlay, a network.
 * Throttles are of disks: a partition answers ENODEV. Source: Linux, block/blk-cgroup.c, blkg_conf_open_bdev; sysfs(5), /sys/dev/block
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

/** Source: Linux, include/uapi/linux/kdev_t.h as glibc's sys/sysmacros.h has it, for numbers below 2^32 */
function major(dev: number): number {
  return (dev >>> 8) & 0xfff;
}

function minor(dev: number): number {
  return (dev & 0xff) | ((dev >>> 12) & 0xfff00);
}
