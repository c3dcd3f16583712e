/** Control groups that a local cluster's nodes left: `/SCOPE` in every mounted hierarchy, v1 or v2. */
import { readFile, readdir, rmdir } from 'node:fs/promises';
import path from 'node:path';

/** Mount points of cgroup file systems. Source: proc_pid_mountinfo(5) */
export async function cgroupMounts(): Promise<readonly string[]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8');
  return text.split('\n').filter(line => / - cgroup2? /.test(line)).map(line => line.split(' ')[4] ?? '').filter(mount => mount !== '');
}

/** Removes the trees, deepest first; no process may be in them. */
export async function removeCgroups(scopes: readonly string[]): Promise<void> {
  for (const mount of await cgroupMounts()) {
    for (const scope of scopes) {
      await removeTree(path.join(mount, scope));
    }
  }
}

async function removeTree(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries.filter(one => one.isDirectory())) {
    await removeTree(path.join(folder, entry.name));
  }
  await rmdir(folder).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw error;
    }
  });
}
