/** Mounts, by the classic call and by the newer ones with descriptors. */
import { closeSync } from 'node:fs';
import koffi from 'koffi';
import { checked, SyscallError } from './file-syscall.ts';

const libc = koffi.load('libc.so.6');
const calls = {
  mount: libc.func('int mount(const char *, const char *, const char *, unsigned long, const char *)'),
  umount2: libc.func('int umount2(const char *, int)'),
  openTree: libc.func('long syscall(long, int, const char *, unsigned int)'),
  mountSetattr: libc.func('long syscall(long, int, const char *, unsigned int, const uint64_t *, size_t)'),
  moveMount: libc.func('long syscall(long, int, const char *, int, const char *, unsigned int)'),
  fsopen: libc.func('long syscall(long, const char *, unsigned int)'),
  fsconfig: libc.func('long syscall(long, int, unsigned int, const char *, const char *, int)'),
  fsmount: libc.func('long syscall(long, int, unsigned int, unsigned int)'),
} as const;

// Source: include/uapi/asm-generic/unistd.h, and the x86-64 table: the numbers are the same on all architectures from 424 on.
const SYS_OPEN_TREE = 428;
const SYS_MOVE_MOUNT = 429;
const SYS_FSOPEN = 430;
const SYS_FSCONFIG = 431;
const SYS_FSMOUNT = 432;
const SYS_MOUNT_SETATTR = 442;
// Source: include/uapi/linux/mount.h, include/uapi/linux/fcntl.h.
const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const OPEN_TREE_CLONE = 1;
const OPEN_TREE_CLOEXEC = 0o2000000;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
export const MOUNT_ATTR_RDONLY = 0x1;
export const MOUNT_ATTR_NOSUID = 0x2;
export const MOUNT_ATTR_NODEV = 0x4;
export const MOUNT_ATTR_NOEXEC = 0x8;
const MOUNT_ATTR_IDMAP = 0x00100000;
const MS_BIND = 1n << 12n;
const MS_PRIVATE = 1n << 18n;
const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;
export const MNT_DETACH = 2;
// Source: include/uapi/asm-generic/errno-base.h.
const ENOENT = 2;
const EINVAL = 22;

/** mount(2) with MOUNT_ATTR_NOSUID, _NODEV and _NOEXEC as flags, whose numbers mount(2) has too. @throws SyscallError */
export function mountFileSystem(type: string, source: string, target: string, how: { readonly options: string; readonly flags?: number }): void {
  checked(`mount ${type}`, calls.mount(source, target, type, BigInt(how.flags ?? 0), how.options));
}

/** Shows `source`, a file or a directory, at `target` too. @throws SyscallError */
export function bindMount(source: string, target: string): void {
  checked('mount --bind', calls.mount(source, target, null, MS_BIND, null));
}

/**
 * Detaches what is mounted last at `target`: a busy mount goes with its last user. False: nothing is mounted, or there is no such path.
 *
 * It runs on a thread beside, since the kernel waits until no processor reads the old tree. Source: fs/namespace.c, namespace_unlock(); umount2(2)
 * @throws SyscallError
 */
export async function detachMount(target: string): Promise<boolean> {
  if (freeDetaches > 0) freeDetaches -= 1;
  else await new Promise<void>(resolve => { waitingDetaches.push(resolve); });
  try {
    return await detach(target);
  } finally {
    const next = waitingDetaches.shift();
    if (next === undefined) freeDetaches += 1;
    else next();
  }
}

/**
 * The same for a place where most likely nothing is mounted, which the kernel says without waiting: a thread's turn costs many times that.
 *
 * Source: fs/namespace.c, can_umount()
 * @throws SyscallError
 */
export function detachLeftover(target: string): boolean {
  return wasDetached(calls.umount2(target, MNT_DETACH) === 0 ? 0 : koffi.errno());
}

/** A whole subnet's slots are taken away at once, and no more than 256 calls may wait for a thread, those of other files among them. Source: koffi, max_async_calls */
let freeDetaches = 64;
const waitingDetaches: (() => void)[] = [];

async function detach(target: string): Promise<boolean> {
  const errno = await new Promise<number>((resolve, reject) => {
    calls.umount2.async(target, MNT_DETACH, (error: Error | null, outcome: number) => {
      if (error === null) resolve(outcome === 0 ? 0 : koffi.errno());
      else reject(error);
    });
  });
  return wasDetached(errno);
}

/** @throws SyscallError */
function wasDetached(errno: number): boolean {
  if (![0, EINVAL, ENOENT].includes(errno)) {
    throw new SyscallError('umount2', errno);
  }
  return errno === 0;
}

/**
 * A clone of the mount that holds `path`, ids shown through the user namespace where there is one, read-only unless `flags` say otherwise; in
 * no tree yet. The caller closes the descriptor. @throws SyscallError
 */
export function cloneIdmapped(path: string, userNamespace: number | undefined, flags = MOUNT_ATTR_RDONLY): number {
  const tree = checked('open_tree', calls.openTree(SYS_OPEN_TREE, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  // struct mount_attr: attr_set, attr_clr, propagation, userns_fd. Source: mount_setattr(2).
  const attributes = BigUint64Array.of(BigInt(userNamespace === undefined ? flags : MOUNT_ATTR_IDMAP | flags), 0n, MS_PRIVATE, BigInt(userNamespace ?? 0));
  try {
    checked('mount_setattr', calls.mountSetattr(SYS_MOUNT_SETATTR, tree, '', AT_EMPTY_PATH, attributes, attributes.byteLength));
  } catch (error) {
    closeSync(tree);
    throw error;
  }
  return tree;
}

/** Puts a detached mount into the tree at `target`. @throws SyscallError */
export function attachMount(mount: number, target: string): void {
  checked('move_mount', calls.moveMount(SYS_MOVE_MOUNT, mount, '', AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH));
}

/** A context for a new mount of `type`. The caller closes the descriptor. */
export function openFileSystem(type: string): number {
  return checked('fsopen', calls.fsopen(SYS_FSOPEN, type, FSOPEN_CLOEXEC));
}

/** @throws SyscallError EINVAL for an option this kernel does not know */
export function configureFileSystem(context: number, key: string, value: string): void {
  checked(`fsconfig ${key}`, calls.fsconfig(SYS_FSCONFIG, context, FSCONFIG_SET_STRING, key, value, 0));
}

/** The mount that the configured context makes, with attributes `flags`, in no tree yet. The caller closes the descriptor. */
export function createMount(context: number, flags = 0): number {
  checked('fsconfig create', calls.fsconfig(SYS_FSCONFIG, context, FSCONFIG_CMD_CREATE, null, null, 0));
  return checked('fsmount', calls.fsmount(SYS_FSMOUNT, context, FSMOUNT_CLOEXEC, flags));
}
