/** File system calls by directory descriptor that Node does not have, for the layer extractor. Names are raw bytes. */
import koffi from 'koffi';

const libc = koffi.load('libc.so.6');
const calls = {
  openat: libc.func('int openat(int, const uint8_t *, int, uint32_t)'),
  openat2: libc.func('long syscall(long, int, const uint8_t *, const uint64_t *, size_t)'),
  mkdirat: libc.func('int mkdirat(int, const uint8_t *, uint32_t)'),
  mknodat: libc.func('int mknodat(int, const uint8_t *, uint32_t, uint64_t)'),
  symlinkat: libc.func('int symlinkat(const uint8_t *, int, const uint8_t *)'),
  linkat: libc.func('int linkat(int, const uint8_t *, int, const uint8_t *, int)'),
  unlinkat: libc.func('int unlinkat(int, const uint8_t *, int)'),
  renameat: libc.func('int renameat(int, const uint8_t *, int, const uint8_t *)'),
  fchownat: libc.func('int fchownat(int, const uint8_t *, uint32_t, uint32_t, int)'),
  utimensat: libc.func('int utimensat(int, const uint8_t *, const int64_t *, int)'),
  fsetxattr: libc.func('int fsetxattr(int, const uint8_t *, const uint8_t *, size_t, int)'),
  futimens: libc.func('int futimens(int, const int64_t *)'),
  listxattr: libc.func('long listxattr(const char *, uint8_t *, size_t)'),
  getxattr: libc.func('long getxattr(const char *, const uint8_t *, uint8_t *, size_t)'),
  ioctl: libc.func('int ioctl(int, unsigned long, long)'),
  copyFileRange: libc.func('long copy_file_range(int, int64_t *, int, int64_t *, size_t, unsigned int)'),
  close: libc.func('int close(int)'),
  lseek: libc.func('int64_t lseek(int, int64_t, int)'),
  chroot: libc.func('int chroot(const char *)'),
  syncfs: libc.func('int syncfs(int)'),
} as const;

// Source: include/uapi/asm-generic/fcntl.h, include/uapi/linux/fcntl.h; the same on x86-64 and arm64 unless noted.
const O_WRONLY = 1;
const O_CREAT = 0o100;
const O_EXCL = 0o200;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const O_PATH = 0o10000000;
/** arm64 has these two exchanged with O_DIRECT and O_LARGEFILE. Source: arch/arm64/include/uapi/asm/fcntl.h. */
const O_DIRECTORY = process.arch === 'arm64' ? 0o40000 : 0o200000;
const O_NOFOLLOW = process.arch === 'arm64' ? 0o100000 : 0o400000;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EMPTY_PATH = 0x1000;
/** Source: include/uapi/linux/stat.h. */
const S_IFIFO = 0o010000;
const S_IFCHR = 0o020000;
/** Source: lseek(2). */
const SEEK_END = 2;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
/** _IOW(0x94, 9, int). Source: include/uapi/linux/fs.h, ioctl_ficlone(2). */
const FICLONE = 0x4004_9409;
/** Source: unlinkat(2). */
const AT_REMOVEDIR = 0x200;
/** Source: openat2(2); include/uapi/linux/openat2.h. */
const SYS_OPENAT2 = 437;
const RESOLVE_NO_MAGICLINKS = 0x02n;
const RESOLVE_IN_ROOT = 0x10n;

/** Of a number with two names, EAGAIN and not EWOULDBLOCK, ENOTSUP and not EOPNOTSUPP: as Node names it. Source: errno(3) */
const ERRNO_NAMES = new Map(Object.entries(koffi.os.errno).toSorted(([left], [right]) => (left < right ? 1 : -1)).map(([name, number]) => [number, name]));

/** A failed system call; `code` is the errno's name, as in Node's own errors. */
export class SyscallError extends Error {
  override readonly name = 'SyscallError';
  readonly code: string;

  constructor(call: string, errno: number) {
    const code = ERRNO_NAMES.get(errno) ?? `errno ${String(errno)}`;
    super(`${call}: ${code}`);
    this.code = code;
  }
}

/** The result of a C call; below zero it is errno's turn. @throws SyscallError */
export function checked(call: string, outcome: unknown): number {
  if (typeof outcome !== 'number' || outcome < 0) {
    throw new SyscallError(call, koffi.errno());
  }
  return outcome;
}

/** Bytes of a name kept as a latin1 string, with the final NUL. */
function raw(name: string): Buffer {
  return Buffer.from(`${name}\0`, 'latin1');
}

/** Opens a directory itself, never a link to one, for use as a parent. @throws SyscallError ENOTDIR, ELOOP, ENOENT */
export function openDirectory(parent: number, name: string): number {
  return checked('openat', calls.openat(parent, raw(name), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0));
}

/** Opens a directory for attributes, which a path-only descriptor refuses. */
export function openDirectoryForAttributes(parent: number, name: string): number {
  return checked('openat', calls.openat(parent, raw(name), O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0));
}

/** Opens the directory that `path` leads to when `root` is `/`: links are followed, and none leads out. @throws SyscallError */
export function openDirectoryInRoot(root: number, path: string): number {
  const how = BigUint64Array.of(BigInt(O_PATH | O_DIRECTORY | O_CLOEXEC), 0n, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
  return checked('openat2', calls.openat2(SYS_OPENAT2, root, raw(path), how, how.byteLength));
}

/** Opens any file itself for looking at; follows no link, opens no device or fifo. @throws SyscallError */
export function openPath(parent: number, name: string): number {
  return checked('openat', calls.openat(parent, raw(name), O_PATH | O_NOFOLLOW | O_CLOEXEC, 0));
}

/** Like `openPath`; undefined when nothing has the name. */
export function openPathIfThere(parent: number, name: string): number | undefined {
  const outcome: unknown = calls.openat(parent, raw(name), O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
  return outcome === -1 && koffi.errno() === koffi.os.errno['ENOENT'] ? undefined : checked('openat', outcome);
}

/** Makes a new regular file and opens it for writing; an existing name is refused. The mode's permission bits alone count, less the umask. @throws SyscallError */
export function createFile(parent: number, name: string, mode: number): number {
  return checked('openat', calls.openat(parent, raw(name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode & 0o777));
}

/** Opens a regular file for reading; follows no link, and waits for nothing should it be a fifo. @throws SyscallError */
export function openFile(parent: number, name: string): number {
  return checked('openat', calls.openat(parent, raw(name), O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0));
}

export function makeDirectory(parent: number, name: string, mode: number): void {
  checked('mkdirat', calls.mkdirat(parent, raw(name), mode));
}

export function makeFifo(parent: number, name: string, mode: number): void {
  checked('mknodat', calls.mknodat(parent, raw(name), S_IFIFO | mode, 0n));
}

/** The character device 0/0 that overlayfs reads as "not there"; needs no CAP_MKNOD since Linux 5.8. Source: overlayfs.rst, "whiteouts". */
export function makeWhiteout(parent: number, name: string): void {
  checked('mknodat', calls.mknodat(parent, raw(name), S_IFCHR, 0n));
}

export function makeSymlink(target: string, parent: number, name: string): void {
  checked('symlinkat', calls.symlinkat(raw(target), parent, raw(name)));
}

/** A second name for the file itself; a link as target is linked, not followed. */
export function makeHardlink(from: { readonly parent: number; readonly name: string }, parent: number, name: string): void {
  checked('linkat', calls.linkat(from.parent, raw(from.name), parent, raw(name), 0));
}

export function removeFile(parent: number, name: string): void {
  checked('unlinkat', calls.unlinkat(parent, raw(name), 0));
}

/** @throws SyscallError ENOTEMPTY */
export function removeDirectory(parent: number, name: string): void {
  checked('unlinkat', calls.unlinkat(parent, raw(name), AT_REMOVEDIR));
}

export function rename(from: { readonly parent: number; readonly name: string }, parent: number, name: string): void {
  checked('renameat', calls.renameat(from.parent, raw(from.name), parent, raw(name)));
}

/** Owner of the name itself, also of a link. An empty name means `parent`. */
export function changeOwner(parent: number, name: string, owner: { readonly uid: number; readonly gid: number }): void {
  checked('fchownat', calls.fchownat(parent, raw(name), owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH));
}

/** Modification and access time of the name itself. */
export function changeTime(parent: number, name: string, time: { readonly seconds: number; readonly nanoseconds: number }): void {
  const pair = [BigInt(time.seconds), BigInt(time.nanoseconds)];
  checked('utimensat', calls.utimensat(parent, raw(name), BigInt64Array.from([...pair, ...pair]), AT_SYMLINK_NOFOLLOW));
}

/** Closes what these calls opened; Node's own close warns of such a descriptor in a thread. */
export function closeDescriptor(descriptor: number): void {
  checked('close', calls.close(descriptor));
}

/** Modification and access time of an open file. */
export function changeOpenTime(descriptor: number, time: { readonly seconds: number; readonly nanoseconds: number }): void {
  const pair = [BigInt(time.seconds), BigInt(time.nanoseconds)];
  checked('futimens', calls.futimens(descriptor, BigInt64Array.from([...pair, ...pair])));
}

/** @throws SyscallError ENOTSUP where the file system has none */
export function setAttribute(descriptor: number, name: string, value: Uint8Array): void {
  checked('fsetxattr', calls.fsetxattr(descriptor, raw(name), value, value.byteLength, 0));
}

/** Names of the extended attributes of what `descriptor` is, a path-only one too. Source: open(2), O_PATH; listxattr(2) */
export function listAttributes(descriptor: number): readonly string[] {
  const path = `/proc/self/fd/${String(descriptor)}`;
  const length = checked('listxattr', calls.listxattr(path, null, 0));
  if (length === 0) return [];
  const names = Buffer.alloc(length);
  return names.toString('latin1', 0, checked('listxattr', calls.listxattr(path, names, length))).split('\0').filter(name => name !== '');
}

/** Source: limits.h XATTR_SIZE_MAX. */
const MAX_ATTRIBUTE_BYTES = 65_536;

/** The value of an attribute that is there. @throws SyscallError ENODATA */
export function readAttribute(descriptor: number, name: string): Buffer {
  const value = Buffer.alloc(MAX_ATTRIBUTE_BYTES);
  return value.subarray(0, checked('getxattr', calls.getxattr(`/proc/self/fd/${String(descriptor)}`, raw(name), value, value.length)));
}

/** Makes `to` share all contents of `from`. @throws SyscallError ENOTSUP, EXDEV, EINVAL where the file system cannot. Source: ioctl_ficlone(2) */
export function shareContents(from: number, to: number): void {
  checked('ioctl FICLONE', calls.ioctl(to, FICLONE, from));
}

/** Copies within the kernel, at the same offset in both; the answer is how much, 0 at the end. @throws SyscallError */
export function copyRange(from: number, to: number, { offset, lengthBytes }: { readonly offset: number; readonly lengthBytes: number }): number {
  const at = BigInt(offset);
  return checked('copy_file_range', calls.copyFileRange(from, BigInt64Array.of(at), to, BigInt64Array.of(at), lengthBytes, 0));
}

/** Where contents begin at `offset` or after it; undefined when only a hole follows. Source: lseek(2), SEEK_DATA */
export function findContents(descriptor: number, offset: number): number | undefined {
  return seekOrEnd(descriptor, offset, SEEK_DATA);
}

/** Where the next hole begins, the end of the file at the latest. Source: lseek(2), SEEK_HOLE */
export function findHole(descriptor: number, offset: number): number | undefined {
  return seekOrEnd(descriptor, offset, SEEK_HOLE);
}

function seekOrEnd(descriptor: number, offset: number, whence: number): number | undefined {
  try {
    return checked('lseek', calls.lseek(descriptor, offset, whence));
  } catch (error) {
    if (error instanceof SyscallError && error.code === 'ENXIO') return undefined;
    throw error;
  }
}

/** Moves the place where the next bytes go to the file's end, and says where that is. */
export function seekToEnd(descriptor: number): number {
  return checked('lseek', calls.lseek(descriptor, 0, SEEK_END));
}

/** Makes `path` this process's root; the caller changes directory into it. */
export function changeRoot(path: string): void {
  checked('chroot', calls.chroot(path));
}

/** Flushes the whole file system that holds `descriptor`; runs beside the event loop. */
export async function syncFileSystem(descriptor: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    calls.syncfs.async(descriptor, (error: unknown, outcome: unknown) => {
      if (error !== null && error !== undefined || outcome !== 0) reject(new Error('syncfs', { cause: error }));
      else resolve();
    });
  });
}
