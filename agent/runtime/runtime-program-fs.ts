/** Runtimes where containers cannot write to them, and where they need not make sure of it themselves. */
import { closeSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { attachMount, cloneIdmapped, detachMount, MOUNT_ATTR_RDONLY } from '../kernel/mount-syscall.ts';

/**
 * Shows each program read-only below `directory`; answers their new paths by name. Done anew at each start of the agent: a package may have
 * replaced a program meanwhile. Containers made with an earlier mount keep theirs.
 *
 * A runtime guards itself against containers that write to /proc/PID/exe (CVE-2019-5736) by running a read-only copy of itself, which takes half
 * of a call; one that is on a read-only mount already runs at once. Source: crun, src/libcrun/cloned_binary.c, is_self_cloned()
 */
export async function mountPrograms(programs: ReadonlyMap<string, string>, directory: string): Promise<ReadonlyMap<string, string>> {
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  return new Map(await Promise.all([...programs].map(async ([name, program]) => {
    const target = path.join(directory, name);
    await detachMount(target);
    writeFileSync(target, '', { mode: 0o600 });
    const clone = cloneIdmapped(program, undefined, MOUNT_ATTR_RDONLY);
    try {
      attachMount(clone, target);
    } finally {
      closeSync(clone);
    }
    return [name, target] as const;
  })));
}

/** Takes away what `mountPrograms` made. */
export async function unmountPrograms(names: Iterable<string>, directory: string): Promise<void> {
  for (const name of names) await detachMount(path.join(directory, name));
  rmSync(directory, { recursive: true, force: true });
}
