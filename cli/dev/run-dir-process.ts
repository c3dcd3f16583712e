/** The run directory of a local cluster: in memory, as /run is wherever an init system made it. */
import { mkdir, statfs } from 'node:fs/promises';
import { requireCommand, runCommand } from '#kit/command-process.ts';

/** Source: statfs(2), TMPFS_MAGIC */
const TMPFS_MAGIC = 0x0102_1994;
const MODE = 0o711;

/**
 * Makes it, and mounts a file system in memory there unless it lies on one: a disk would make every start pay for files that last no longer than the boot.
 *
 * Source: FHS 3.0, 3.15: /run has what is "since the system was booted"; hier(7)
 */
export async function makeRunDir(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: MODE });
  if ((await statfs(path)).type !== TMPFS_MAGIC) {
    await requireCommand('mount', ['-t', 'tmpfs', '-o', `mode=0${MODE.toString(8)},nosuid,nodev`, 'gantry-run', path]);
  }
}

/** What `makeRunDir` mounted; nothing there is fine. */
export async function unmountRunDir(path: string): Promise<void> {
  await runCommand('umount', ['-l', path]);
}
