/** When a container has written too much into its root file system. */
import { formatMemory } from '#model/quantity.ts';

/** Of the disk with the root file systems; `totalFiles` is 0 where the file system makes inodes as it needs them. */
export interface FileUse {
  readonly totalFiles: number;
  readonly freeFiles: number;
}

/** Above this use of a disk's inodes, in percent, whoever holds many of them is ended, before nothing on the node can be written. */
const MAX_USED_PERCENT = 85;
/** As many are many: a share of all, in percent. */
const MANY_PERCENT = 10;

/** How many files in one root file system are too many now; undefined: any number is fine. */
export function tooManyFiles({ totalFiles, freeFiles }: FileUse): number | undefined {
  const isScarce = totalFiles > 0 && (totalFiles - freeFiles) * 100 > totalFiles * MAX_USED_PERCENT;
  return isScarce ? Math.max(1, Math.floor((totalFiles * MANY_PERCENT) / 100)) : undefined;
}

export function bytesExceeded(bytes: number, limitBytes: number): string {
  return `its root file system holds ${formatMemory(bytes)} of what it wrote, the storage limit is ${formatMemory(limitBytes)}`;
}

export function filesExceeded(count: number, { totalFiles, freeFiles }: FileUse): string {
  return `its root file system holds more than ${String(count)} files, and the node's disk has only ${String(freeFiles)} of ${String(totalFiles)} inodes left`;
}
