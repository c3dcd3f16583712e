/** Namespaces of running containers that another container is about to join. */
import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { isSameProcess, parseProcessStat } from '#kit/process-stat-parse.ts';
import type { ProcessIdentity } from '#kit/process-stat-parse.ts';
import { ClusterError } from '#model/errors.ts';
import type { HeldNamespaces } from '../task/ports.ts';
import type { JoinedNamespaces } from '../task/joined-namespaces.ts';
import { pathOf } from './container-root-fs.ts';

/**
 * Opens the namespaces and gives paths to these descriptors, for a runtime that this agent starts. Until it is disposed of a path leads to
 * the same namespace, also when its process has ended and another process has its pid.
 *
 * @throws ClusterError FAILED_PRECONDITION when a process is gone
 * Source: proc_pid_ns(5); proc_pid_fd(5)
 */
export function holdNamespaces(joined: JoinedNamespaces): HeldNamespaces {
  const open: number[] = [];
  const close = (): void => { open.splice(0).forEach(fd => { closeSync(fd); }); };
  try {
    const paths = Object.fromEntries(Object.entries(joined).map(([kind, holder]) => {
      const fd = openNamespace(holder, kind);
      open.push(fd);
      return [kind, `/proc/${String(process.pid)}/fd/${String(fd)}`];
    }));
    return { paths, [Symbol.dispose]: close };
  } catch (error) {
    close();
    throw error;
  }
}

/** Through one descriptor of /proc/PID: reads fail with ESRCH after the process has ended, also when another process has its pid. */
function openNamespace(holder: ProcessIdentity, kind: string): number {
  let directory: number | undefined;
  try {
    directory = openSync(`/proc/${String(holder.pid)}`, constants.O_RDONLY | constants.O_DIRECTORY);
    if (!isSameProcess(holder, parseProcessStat(readFileSync(`${pathOf(directory)}/stat`, 'utf8')))) throw new Error('another process has its pid');
    return openSync(`${pathOf(directory)}/ns/${kind}`, constants.O_RDONLY);
  } catch (error) {
    throw new ClusterError('FAILED_PRECONDITION', `${kind} namespace: the container that it is joined from is not running`, { cause: error });
  } finally {
    if (directory !== undefined) closeSync(directory);
  }
}
