/** The root of a running container, and what is below it as that container sees it. */
import { closeSync, constants, openSync, readFileSync, statfsSync } from 'node:fs';
import { isSameProcess, parseProcessStat } from '#kit/process-stat-parse.ts';
import type { ProcessIdentity } from '#kit/process-stat-parse.ts';
import { ClusterError } from '#model/errors.ts';
import { O_PATH, openInRoot } from '../kernel/path-syscall.ts';

export interface ContainerRoot {
  /** The caller closes it. */
  readonly fd: number;
  /** What root of the container is on the machine. */
  readonly hostBase: number;
}

/**
 * File systems whose files are the kernel's words about the whole machine, and take its orders.
 *
 * Source: include/uapi/linux/magic.h: PROC, SYSFS, CGROUP, CGROUP2, DEBUGFS, TRACEFS, SECURITYFS, SELINUX, BPF_FS, PSTOREFS, EFIVARFS, BINFMTFS;
 * fs/configfs/mount.c, CONFIGFS_MAGIC
 */
const KERNEL_FILE_SYSTEMS: ReadonlySet<number> = new Set([
  0x9fa0, 0x6265_6572, 0x27_e0eb, 0x6367_7270, 0x6462_6720, 0x7472_6163, 0x7363_6673, 0xf97c_ff8c, 0xcafe_4a11, 0x6165_676c, 0xde5e_81e4, 0x4249_4e4d, 0x6265_6570,
]);

/**
 * Opens the root directory of the process `container`. All files of /proc/PID are read through one descriptor
 * of that directory: reads fail with ESRCH after the process has ended, also when another process has its pid.
 *
 * @throws ClusterError FAILED_PRECONDITION when it is gone
 * Source: proc(5); proc_pid_root(5); user_namespaces(7), uid_map
 */
export function openContainerRoot(container: ProcessIdentity): ContainerRoot {
  let process: number | undefined;
  try {
    process = openSync(`/proc/${String(container.pid)}`, constants.O_RDONLY | constants.O_DIRECTORY);
    if (!isSameProcess(container, parseProcessStat(readFileSync(`${pathOf(process)}/stat`, 'utf8')))) throw new Error('another process has its pid');
    const hostBase = Number(/^\s*0\s+(\d+)/.exec(readFileSync(`${pathOf(process)}/uid_map`, 'utf8'))?.[1] ?? 0);
    return { fd: openSync(`${pathOf(process)}/root`, constants.O_RDONLY | constants.O_DIRECTORY), hostBase };
  } catch (error) {
    throw new ClusterError('FAILED_PRECONDITION', 'the container is not running', { cause: error });
  } finally {
    if (process !== undefined) closeSync(process);
  }
}

/**
 * A descriptor that only names what `path` below `directory` is: nothing is opened that could wait or act. Links and `..` stay below.
 * The caller closes it.
 *
 * @param flags  O_NOFOLLOW and O_DIRECTORY count
 * @throws PathError
 */
export function openPlace(directory: number, path: string | Uint8Array, flags = 0): number {
  return openInRoot(directory, path, O_PATH | (flags & (constants.O_NOFOLLOW | constants.O_DIRECTORY)));
}

/** True when `fd` is in a file system of the kernel's own. */
export function isOfKernel(fd: number): boolean {
  return KERNEL_FILE_SYSTEMS.has(statfsSync(pathOf(fd)).type);
}

/** Where open descriptor `fd` is found again. Source: proc_pid_fd(5) */
export function pathOf(fd: number): string {
  return `/proc/self/fd/${String(fd)}`;
}
