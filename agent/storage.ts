/** When a container has written too much into its root file system. */
import { formatMemory } from '#model/quantity.ts';

/** Of the disk with the root file systems; `totalFiles` is 0 where the file system makes inodes as it needs them. */
export interface FileUse {
  readonly totalFiles: number;
  readonly freeFiles: number;
}

/** Of the same disk. */
export interface DiskSpace {
  readonly totalBytes: number;
  readonly freeBytes: number;
}

/** What one container was seen to have written. */
export interface CountedBytes {
  readonly bytes: number;
  /** Free on the disk at that time. */
  readonly freeBytes: number;
  readonly atMs: number;
}

/** Above this use of a disk's inodes, in percent, whoever holds many of them is ended, before nothing on the node can be written. */
const MAX_USED_PERCENT = 85;
/** As many are many: a share of all, in percent. */
const MANY_PERCENT = 10;
/** What a container without `limits.storage` may write: a share of the disk, in percent. */
const DEFAULT_LIMIT_PERCENT = 25;
/** Kept free for the node: a share of the disk, in percent, and no more than `MAX_RESERVE_BYTES`. */
const RESERVE_PERCENT = 5;
const MAX_RESERVE_BYTES = 4 * 2 ** 30;
/** Less than this share of the reserve, in percent, is no cause of a full disk. */
const SHARE_PERCENT = 25;
/** A container is counted anew so often where the disk gives no reason to: what it wrote may be what another deleted. */
const RECOUNT_MS = 2_000;
/** The same for the default limit: far more than what is written between two looks. */
const RECOUNT_UNLIMITED_MS = 60_000;

/** How many files in one root file system are too many now; undefined: any number is fine. */
export function tooManyFiles({ totalFiles, freeFiles }: FileUse): number | undefined {
  const isScarce = totalFiles > 0 && (totalFiles - freeFiles) * 100 > totalFiles * MAX_USED_PERCENT;
  return isScarce ? Math.max(1, Math.floor((totalFiles * MANY_PERCENT) / 100)) : undefined;
}

/** Of a container without one of its own. */
export function defaultStorageBytes({ totalBytes }: DiskSpace): number {
  return Math.floor((totalBytes * DEFAULT_LIMIT_PERCENT) / 100);
}

/**
 * Whether a container may be above its limit now: the disk has lost as much as it had left, or a while has passed. A walk through what it wrote costs
 * far more than a look at the disk.
 */
export function isCountDue(before: CountedBytes | undefined, limit: { readonly bytes: number; readonly isDefault: boolean }, now: { readonly freeBytes: number; readonly atMs: number }): boolean {
  if (before === undefined || now.atMs - before.atMs >= (limit.isDefault ? RECOUNT_UNLIMITED_MS : RECOUNT_MS)) {
    return true;
  }
  const leftBytes = limit.bytes - before.bytes;
  return leftBytes >= 0 && before.freeBytes - now.freeBytes >= leftBytes;
}

/** What is kept free for the node. */
export function reserveBytes({ totalBytes }: DiskSpace): number {
  return Math.min(MAX_RESERVE_BYTES, Math.floor((totalBytes * RESERVE_PERCENT) / 100));
}

/** The one that wrote most, where less than the reserve is free; undefined where there is room, or where none of them is the cause. */
export function largestWriter<Writer extends { readonly bytes: number }>(writers: readonly Writer[], space: DiskSpace): Writer | undefined {
  const reserve = reserveBytes(space);
  if (space.freeBytes >= reserve) {
    return undefined;
  }
  const [largest] = [...writers].sort((left, right) => right.bytes - left.bytes);
  return largest !== undefined && largest.bytes * 100 >= reserve * SHARE_PERCENT ? largest : undefined;
}

export function bytesExceeded(bytes: number, limit: { readonly bytes: number; readonly isDefault: boolean }): string {
  const which = limit.isDefault ? `a container without limits.storage may write ${formatMemory(limit.bytes)}, a quarter of the node's disk; set limits.storage` : `the storage limit is ${formatMemory(limit.bytes)}`;
  return `its root file system holds ${formatMemory(bytes)} of what it wrote, ${which}`;
}

export function reserveTaken(bytes: number, space: DiskSpace): string {
  const held = bytes === Infinity ? 'more than can be counted' : `${formatMemory(bytes)} of what it wrote, more than any other's`;
  return `its root file system holds ${held}, and the node's disk has ${formatMemory(space.freeBytes)} left, less than the ${formatMemory(reserveBytes(space))} kept for the node; set limits.storage`;
}

export function filesExceeded(count: number, { totalFiles, freeFiles }: FileUse): string {
  return `its root file system holds more than ${String(count)} files, and the node's disk has only ${String(freeFiles)} of ${String(totalFiles)} inodes left`;
}
