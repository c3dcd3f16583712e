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
// _IOWR(0x94, 18, struct btrfs_ioctl_ino_lookup_args); _IOWR(0x94, 40, struct btrfs_ioctl_quota_ctl_args); _IOR(0x94, 43, struct btrfs_ioctl_qgroup_limit_args)
const INO_LOOKUP = 0xd000_9412;
const QUOTA_CTL = 0xc010_9428;
const QGROUP_LIMIT = 0x8030_942b;
const QUOTA_CTL_BYTES = 16;
const QGROUP_LIMIT_BYTES = 48;
/** Simple quotas count what a subvolume wrote itself, at no cost for others. Source: BTRFS_QUOTA_CTL_ENABLE_SIMPLE_QUOTA, since Linux 6.7 */
const ENABLE_SIMPLE_QUOTA = 4n;
/** Source: BTRFS_QGROUP_LIMIT_MAX_EXCL; a maximum of all ones is none. */
const LIMIT_EXCLUSIVE = 2n;
const NO_LIMIT = 0xffff_ffff_ffff_ffffn;
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

/** Counts from now on what each subvolume of the file system of `directory` writes. @throws SyscallError where the kernel cannot */
export function enableQuotas(directory: string): void {
  const block = Buffer.alloc(QUOTA_CTL_BYTES);
  block.writeBigUInt64LE(ENABLE_SIMPLE_QUOTA, 0);
  withDirectory(directory, descriptor => { checked('ioctl BTRFS_IOC_QUOTA_CTL', ioctl(descriptor, QUOTA_CTL, block)); });
}

/** Holds what subvolume `subvolume` writes itself to `bytes`; undefined: to nothing. @throws SyscallError ENOTCONN where nothing is counted */
export function limitSubvolume(subvolume: string, bytes: number | undefined): void {
  withDirectory(subvolume, descriptor => {
    const lookup = Buffer.alloc(ARGUMENT_BYTES);
    lookup.writeBigUInt64LE(BigInt(SUBVOLUME_INODE), 8);
    checked('ioctl BTRFS_IOC_INO_LOOKUP', ioctl(descriptor, INO_LOOKUP, lookup));
    const block = Buffer.alloc(QGROUP_LIMIT_BYTES);
    // The group, then struct btrfs_qgroup_limit: flags, max_rfer, max_excl, and two that are not used.
    block.writeBigUInt64LE(lookup.readBigUInt64LE(0), 0);
    block.writeBigUInt64LE(LIMIT_EXCLUSIVE, 8);
    block.writeBigUInt64LE(bytes === undefined ? NO_LIMIT : BigInt(bytes), 24);
    checked('ioctl BTRFS_IOC_QGROUP_LIMIT', ioctl(descriptor, QGROUP_LIMIT, block));
  });
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
