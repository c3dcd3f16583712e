import { lstat, opendir, readdir } from 'node:fs/promises';
import type { BigIntStats } from 'node:fs';

/** Source: inode(7), st_blocks. */
const BLOCK_BYTES = 512n;

/**
 * Bytes on disk of all below `directory` that were changed after `sinceNs` (of their inodes' change times; default: all), a file with several
 * names once. Absent is 0; what goes away meanwhile does not count.
 */
export async function bytesOnDisk(directory: string, sinceNs = -1n): Promise<number> {
  const seen = new Set<bigint>();
  let blocks = 0n;
  const count = (stat: BigIntStats): void => {
    if (stat.ctimeNs <= sinceNs || seen.has(stat.ino)) return;
    if (stat.nlink > 1n) seen.add(stat.ino);
    blocks += stat.blocks;
  };
  const waiting = [Buffer.from(directory)];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const parent = next;
    const entries = await readdir(parent, { encoding: 'buffer', withFileTypes: true }).catch(unlessGone);
    for (const entry of entries ?? []) {
      const child = Buffer.concat([parent, SLASH, entry.name]);
      const stat = await lstat(child, { bigint: true }).catch(unlessGone);
      if (stat === undefined) continue;
      count(stat);
      if (stat.isDirectory()) waiting.push(child);
    }
  }
  return Number(blocks * BLOCK_BYTES);
}

/** True when `directory` has at least `count` entries in it and below; looks no further than that. Absent has none. */
export async function holdsFiles(directory: string, count: number): Promise<boolean> {
  let seen = 0;
  const waiting = [directory];
  for (let next = waiting.pop(); next !== undefined && seen < count; next = waiting.pop()) {
    const parent = next;
    // As Latin-1 a name keeps its bytes, whatever they are.
    const entries = await opendir(Buffer.from(parent, 'latin1'), { encoding: 'latin1', bufferSize: ENTRIES_AT_ONCE }).catch(unlessGone);
    for await (const entry of entries ?? []) {
      seen += 1;
      if (seen >= count) break;
      if (entry.isDirectory()) waiting.push(`${parent}/${entry.name}`);
    }
  }
  return seen >= count;
}

const ENTRIES_AT_ONCE = 1_024;
const SLASH = Buffer.from('/');

function unlessGone(error: unknown): undefined {
  if (!['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
}
