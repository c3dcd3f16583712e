import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DiskPressureError, diskAnswer, diskPressureText, isDiskPressure } from './disk-pressure.ts';

/** Does `work` on the disk that has `directory`. @throws DiskPressureError with the directory and what is free there; else as `work` does */
export async function onDisk<Result>(directory: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const answer = isDiskPressure(error) ? undefined : diskAnswer(error);
    throw answer === undefined ? error : new DiskPressureError(await describeDisk(answer, directory), error);
  }
}

/** `answer`, with the directory (or the nearest one above it that is there) and what is free. */
export async function describeDisk(answer: string, directory: string): Promise<string> {
  const found = await statfs(directory).catch(() => undefined);
  if (found === undefined && directory !== dirname(directory)) {
    return await describeDisk(answer, dirname(directory));
  }
  const { bavail, bsize, ffree } = found ?? { bavail: 0, bsize: 0, ffree: 0 };
  return diskPressureText(answer, directory, { freeBytes: bavail * bsize, freeInodes: ffree });
}

/** Inodes of the disk that has `directory`. */
export async function readFileUse(directory: string): Promise<{ readonly totalFiles: number; readonly freeFiles: number }> {
  const { files, ffree } = await statfs(directory);
  return { totalFiles: files, freeFiles: ffree };
}

/** Bytes of the disk that has `directory`; free is what the agent and containers can write. */
export async function readDiskSpace(directory: string): Promise<{ readonly totalBytes: number; readonly freeBytes: number }> {
  const { blocks, bavail, bsize } = await statfs(directory);
  return { totalBytes: blocks * bsize, freeBytes: bavail * bsize };
}

/** Of the disk that has `directory`, or the nearest one above it; bytes that only root may use count as used. */
export async function readDiskUse(directory: string): Promise<{ readonly totalBytes: number; readonly usedBytes: number }> {
  const found = await statfs(directory).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || directory === dirname(directory)) throw error;
  });
  if (found === undefined) {
    return await readDiskUse(dirname(directory));
  }
  return { totalBytes: found.blocks * found.bsize, usedBytes: (found.blocks - found.bavail) * found.bsize };
}
