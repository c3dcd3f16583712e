/** When a disk takes nothing more: what that is, and how it is told. */
import { ClusterError } from '#model/errors.ts';

/** Source: errno(3); a file system without free inodes answers ENOSPC too. */
const ANSWERS: ReadonlyMap<unknown, string> = new Map([['ENOSPC', 'no space left'], ['EDQUOT', 'the disk quota is used up'], ['EROFS', 'the file system is read-only']]);

/** Node.js has no name for it, and says UNKNOWN. Source: include/uapi/asm-generic/errno.h */
const EDQUOT = 122;

/** The status's word. */
export const DISK_PRESSURE = 'DiskPressure';

export interface FreeSpace {
  readonly freeBytes: number;
  readonly freeInodes: number;
}

/** The disk takes nothing more; nobody did anything wrong, and the same step may work once there is room. */
export class DiskPressureError extends ClusterError {
  constructor(message: string, cause?: unknown) {
    super('RESOURCE_EXHAUSTED', message, { cause });
  }
}

/** True when a disk that takes nothing more is the cause, or the cause's cause. */
export function isDiskPressure(error: unknown): boolean {
  return error instanceof DiskPressureError || (error instanceof Error && error.cause !== undefined && isDiskPressure(error.cause));
}

/** What the disk answered, in words; undefined for any other error. */
export function diskAnswer(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) {
    return undefined;
  }
  return ANSWERS.get('errno' in error && error.errno === -EDQUOT ? 'EDQUOT' : error.code);
}

/** One line for a person. */
export function diskPressureText(answer: string, path: string, { freeBytes, freeInodes }: FreeSpace): string {
  return `${answer}: ${path} has ${String(freeBytes)} bytes and ${String(freeInodes)} inodes free`;
}
