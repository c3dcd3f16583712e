import { runCommand } from '#kit/command-process.ts';

/** What lies below a mount of cgroup v2 in the machine's own memory; only without the mount it is seen. */
const LOOK = 'if mountpoint -q /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi; ls -A /sys/fs/cgroup/unified 2>/dev/null; true';

/** Directories of `scopes` that a runtime left where the machine has no control groups, each as one line. Source: `COVER_UNIFIED_GROUPS` */
export async function plainGroups(scopes: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await runCommand('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', LOOK]);
  return stdout.split('\n').filter(name => scopes.includes(name)).map(name => `plain directory ${name} below the mount of cgroup v2`);
}
