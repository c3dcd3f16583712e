/** The file system that all sides of a bench have their data on. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { leaveNothingOf } from '../support/last-will.ts';
import { mountLoopDisk, unmountDisk, whyNoLoopDisk } from '../support/loop-disk.ts';

const SIZE_MIB = 16 * 1024;

/**
 * A new ext4 with a journal, in a file, gone at the end, also when a signal ends this process: then with each process that names it.
 *
 * A root file system may be an ext4 without a journal, where making files soon after deleting many is many times slower: a new inode does not reuse one
 * freed within the last 35 s. Source: fs/ext4/ialloc.c, recently_deleted()
 */
export async function withBenchDisk<Result>(work: (directory: string) => Promise<Result>): Promise<Result> {
  const lack = whyNoLoopDisk();
  if (lack !== undefined) {
    throw new Error(`a bench needs a disk of its own: ${lack}`);
  }
  await using stack = new AsyncDisposableStack();
  const home = mkdtempSync('/var/lib/gantry-bench-');
  stack.defer(() => { rmSync(home, { recursive: true, force: true }); });
  chmodSync(home, 0o711);
  stack.defer(leaveNothingOf({ directory: home, group: path.basename(home) }));
  const directory = path.join(home, 'disk');
  mkdirSync(directory);
  mountLoopDisk({ file: path.join(home, 'disk.img'), mountPoint: directory, mebibytes: SIZE_MIB });
  stack.defer(async () => { await unmountDisk(directory); });
  chmodSync(directory, 0o711);
  return await work(directory);
}
