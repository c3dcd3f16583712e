/** Runtimes where containers cannot write to them, and where they need not make sure of it themselves. */
import { closeSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { SyscallError } from '../kernel/file-syscall.ts';
import { attachMount, cloneIdmapped, MNT_DETACH, MOUNT_ATTR_RDONLY, unmount } from '../kernel/mount-syscall.ts';

/**
 * Shows each program read-only below `directory`; answers their new paths by name. Done anew at each start of the agent: a package may have
 * replaced a program meanwhile. Containers made with an earlier mount keep theirs.
 *
 * A runtime guards itself against containers that write to /proc/PID/exe (CVE-2019-5736) by running a read-only copy of itself, which takes half
 * of a call; one that is on a read-only mount already runs at once. Source: crun, src/libcrun/cloned_binary.c, is_self_cloned()
 */
export function mountPrograms(programs: ReadonlyMap<string, string>, directory: string): ReadonlyMap<string, string> {
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  return new Map([...programs].map(([name, program]) => {
    const target = path.join(directory, name);
    unmountProgram(target);
    writeFileSync(target, '', { mode: 0o600 });
    const clone = cloneIdmapped(program, undefined, MOUNT_ATTR_RDONLY);
    try {
      attachMount(clone, target);
    } finally {
      closeSync(clone);
    }
    return [name, target];
  }));
}

/** Takes away what `mountPrograms` made. */
export function unmountPrograms(names: Iterable<string>, directory: string): void {
  for (const name of names) unmountProgram(path.join(directory, name));
  rmSync(directory, { recursive: true, force: true });
}

function unmountProgram(target: string): void {
  try {
    unmount(target, MNT_DETACH);
  } catch (error) {
    // Source: umount2(2): EINVAL, no mount point; ENOENT, no such file.
    if (!(error instanceof SyscallError) || !['EINVAL', 'ENOENT'].includes(error.code)) throw error;
  }
}
