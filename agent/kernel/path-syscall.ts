/** Paths inside a directory that somebody else fills: no link and no `..` leads out of it. */
import koffi from 'koffi';

const libc = koffi.load('libc.so.6');
const syscall = libc.func('long syscall(long number, ...)') as unknown as (...args: unknown[]) => number;
/** The same on x86-64 and arm64. Source: include/uapi/asm-generic/unistd.h */
const SYS_OPENAT2 = 437;
/** Source: include/uapi/linux/openat2.h */
const RESOLVE_IN_ROOT = 0x10;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_NO_SYMLINKS = 0x04;
/** Source: include/uapi/linux/fcntl.h, include/uapi/asm-generic/fcntl.h */
const AT_FDCWD = -100;
export const O_PATH = 0o10000000;
/** struct open_how: flags, mode, resolve, eight bytes each. */
const OPEN_HOW_BYTES = 24;
const TERMINATOR = Buffer.alloc(1);
const O_CLOEXEC = 0o2000000;

/** An open(2) inside a root that failed; `errno` is the kernel's number. */
export class PathError extends Error {
  override readonly name = 'PathError';
  readonly errno: number;

  constructor(path: string | Uint8Array, errno: number) {
    super(`open ${JSON.stringify(typeof path === 'string' ? path : Buffer.from(path).toString('utf8'))}: errno ${String(errno)}`);
    this.errno = errno;
  }
}

/**
 * Opens `path` (text, or raw bytes) as if `rootFd` were `/`: absolute links and `..` stay inside. The caller closes the descriptor.
 *
 * @throws PathError
 * Source: openat2(2), RESOLVE_IN_ROOT
 */
export function openInRoot(rootFd: number, path: string | Uint8Array, flags: number, mode = 0): number {
  return openAt({ directory: rootFd, path, resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS }, flags, mode);
}

/** A descriptor that only names what absolute `path` leads to, no part of which is a link. The caller closes it. @throws PathError ELOOP for a link */
export function openWithoutLinks(path: string): number {
  return openAt({ directory: AT_FDCWD, path, resolve: RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS }, O_PATH, 0);
}

function openAt(at: { readonly directory: number; readonly path: string | Uint8Array; readonly resolve: number }, flags: number, mode: number): number {
  const how = Buffer.alloc(OPEN_HOW_BYTES);
  how.writeBigUInt64LE(BigInt(flags | O_CLOEXEC), 0);
  how.writeBigUInt64LE(BigInt(mode), 8);
  how.writeBigUInt64LE(BigInt(at.resolve), 16);
  const fd = syscall(SYS_OPENAT2, 'int', at.directory, 'void *', Buffer.concat([Buffer.from(at.path), TERMINATOR]), 'void *', how, 'size_t', OPEN_HOW_BYTES);
  if (fd < 0) {
    throw new PathError(at.path, koffi.errno());
  }
  return fd;
}
