/** What a test made on the machine goes even when the test's process is killed: a shell outlives it and clears up. */
import { spawn } from 'node:child_process';

export interface Belongings {
  /** Goes with all that is mounted below it, and with every process that names it. */
  readonly directory: string;
  /** Control group of its containers, in each hierarchy; also the name of its network namespace and, with `h`, of a link, where there are such. */
  readonly group: string;
}

/**
 * Its input ends when the test's process does, however. Names come by the environment: the words of its own command line name nothing.
 * A killed process in a frozen group of version 1 ends only once that is thawed, and a group is busy until its last process has ended.
 */
const SCRIPT = `
cat > /dev/null
groups() { find /sys/fs/cgroup -depth -type d \\( -path "*/$GROUP" -o -path "*/$GROUP/*" \\) 2>/dev/null; }
for try in 1 2 3; do
  groups | while read -r group; do
    test -e "$group/freezer.state" && echo THAWED > "$group/freezer.state"
    cat "$group/cgroup.procs"
  done 2>/dev/null | sort -u | xargs -r kill -9 2>/dev/null
  for process in /proc/[0-9]*; do
    tr '\\0' ' ' < "$process/cmdline" 2>/dev/null | grep -qF "$DIRECTORY" && kill -9 "\${process#/proc/}"
  done 2>/dev/null
  sleep 0.3
done
ip netns del "$GROUP"; ip link del "\${GROUP}h"
grep -o " $DIRECTORY[^ ]*" /proc/self/mountinfo | sort -r | xargs -r umount -l
for try in $(seq 100); do
  groups | xargs -r rmdir
  test -z "$(groups)" && break
  sleep 0.1
done
rm -rf "$DIRECTORY"
`;

/** @returns takes the will back: the test cleared up itself */
export function leaveNothingOf({ directory, group }: Belongings): () => void {
  const heir = spawn('sh', ['-c', SCRIPT], { detached: true, stdio: ['pipe', 'ignore', 'ignore'], env: { PATH: process.env['PATH'], DIRECTORY: directory, GROUP: group } });
  heir.unref();
  return () => { heir.kill('SIGKILL'); };
}
