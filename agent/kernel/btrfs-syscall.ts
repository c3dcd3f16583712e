/** Subvolumes of btrfs. Source: include/uapi/linux/btrfs.h; btrfs-ioctl(2) */
import { closeSync, openSync } from 'node:fs';
import koffi from 'koffi';
import { SyscallError, checked } from './file-syscall.ts';

const libc = koffi.load('libc.so.6');
const ioctl = libc.func('int ioctl(int, unsigned long, uint8_t *)');

// _IOW(0x94, N, struct btrfs_ioctl_vol_args), which is a descriptor as 64 bits and a name of 4088 bytes.
const SNAP_CREATE = 0x5000_9401;
const SUBVOL_CREATE = 0x5000_940e;
const SNAP_DESTROY = 0x5000_940f;
const ARGUMENT_BYTES = 4096;
const NAME_OFFSET = 8;
/** Source: BTRFS_SUBVOL_NAME_MAX. */
const MAX_NAME_BYTES = 4039;
/** The root directory of each subvolume has this inode number. Source: BTRFS_FIRST_FREE_OBJECTID. */
const SUBVOLUME_INODE = 256;

export function isSubvolume(inode: number): boolean {
  return inode === SUBVOLUME_INODE;
}

/** @throws SyscallError EEXIST; ENOTTY where `parent` is on another file system */
export function createSubvolume(parent: string, name: string): void {
  withDirectory(parent, descriptor => { checked('ioctl BTRFS_IOC_SUBVOL_CREATE', ioctl(descriptor, SUBVOL_CREATE, volumeArguments(0, name))); });
}

/** A writable snapshot of subvolume `source`. @throws SyscallError EEXIST */
export function snapshotSubvolume(source: string, parent: string, name: string): void {
  withDirectory(source, from => {
    withDirectory(parent, descriptor => { checked('ioctl BTRFS_IOC_SNAP_CREATE', ioctl(descriptor, SNAP_CREATE, volumeArguments(from, name))); });
  });
}

/** Deletes a subvolume with all in it; false when others are inside. @throws SyscallError */
export function deleteSubvolume(parent: string, name: string): boolean {
  try {
    withDirectory(parent, descriptor => { checked('ioctl BTRFS_IOC_SNAP_DESTROY', ioctl(descriptor, SNAP_DESTROY, volumeArguments(0, name))); });
    return true;
  } catch (error) {
    if (error instanceof SyscallError && error.code === 'ENOTEMPTY') return false;
    throw error;
  }
}

function volumeArguments(descriptor: number, name: string): Buffer {
  const bytes = Buffer.from(name);
  if (bytes.length > MAX_NAME_BYTES) throw new RangeError(`subvolume name of ${String(bytes.length)} bytes`);
  const block = Buffer.alloc(ARGUMENT_BYTES);
  block.writeBigInt64LE(BigInt(descriptor), 0);
  bytes.copy(block, NAME_OFFSET);
  return block;
}

function withDirectory(directory: string, use: (descriptor: number) => void): void {
  const descriptor = openSync(directory, 'r');
  try {
    use(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
