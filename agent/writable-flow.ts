/** What the containers of a task wrote into their root file systems. */
import type { RootfsSnapshotter } from './snapshot/ports.ts';
import { claimedContainers } from './task/record.ts';
import type { TaskRecord } from './task/record.ts';

/** Bytes on disk, of the main container and its companions together. Takes a walk through what they wrote. */
export async function writableBytesOf(record: TaskRecord, snapshots: Pick<RootfsSnapshotter, 'writableBytes'>): Promise<number> {
  let bytes = 0;
  for (const id of claimedContainers(record)) bytes += await snapshots.writableBytes(id);
  return bytes;
}
