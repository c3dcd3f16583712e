import { closeSync, constants, fstatSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { PathError } from '../kernel/path-syscall.ts';
import { isOfKernel, openPlace, pathOf } from './container-root-fs.ts';
import type { AccountFiles } from './container-user.ts';

/** A larger passwd is not a person's. */
const MAX_ACCOUNT_BYTES = 1024 * 1024;

/** /etc/passwd and /etc/group below an open root; links in it lead nowhere else, anything but a small plain file counts as empty. */
export async function readAccounts(rootFd: number): Promise<AccountFiles> {
  return { passwd: await readTextIn(rootFd, '/etc/passwd'), group: await readTextIn(rootFd, '/etc/group') };
}

/** The file is named first and opened once it is known to be plain, beside the main thread, and never read beyond the bound. */
async function readTextIn(rootFd: number, path: string): Promise<string> {
  const place = placeOf(rootFd, path);
  if (place === undefined) return '';
  try {
    if (!fstatSync(place).isFile() || isOfKernel(place)) return '';
    await using file = await open(pathOf(place), constants.O_RDONLY | constants.O_NONBLOCK);
    const bytes = Buffer.alloc(Math.min(MAX_ACCOUNT_BYTES, (await file.stat()).size) + 1);
    const length = await readUpTo(file, bytes);
    return length === bytes.length ? '' : bytes.toString('utf8', 0, length);
  } finally {
    closeSync(place);
  }
}

/** Undefined for an image without accounts. */
function placeOf(rootFd: number, path: string): number | undefined {
  try {
    return openPlace(rootFd, path);
  } catch (error) {
    if (error instanceof PathError) return undefined;
    throw error;
  }
}

async function readUpTo(file: Awaited<ReturnType<typeof open>>, bytes: Buffer): Promise<number> {
  for (let length = 0; ;) {
    const { bytesRead } = await file.read(bytes, length, bytes.length - length, length);
    length += bytesRead;
    if (bytesRead === 0 || length === bytes.length) return length;
  }
}
