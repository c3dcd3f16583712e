import { identify } from './container-record-fs.ts';
import { processText } from './process-text-fs.ts';

/** Pids of the children of `pid`; none when it is gone, undefined where the kernel does not tell them. Source: proc_tid_children(5) */
export function childrenOf(pid: number): readonly number[] | undefined {
  return processText(pid, `task/${String(pid)}/children`)?.split(' ').filter(text => text !== '').map(Number);
}

/**
 * True while process `pid` has a living child in no control group that is named after container `id`. A kernel that does not tell the
 * children counts as such: then nothing can be concluded.
 *
 * Source: proc_pid_cgroup(5)
 */
export function hasChildOutside(pid: number, id: string): boolean {
  const children = childrenOf(pid);
  if (children === undefined) {
    return identify(pid) !== undefined;
  }
  return children.some(child => identify(child) !== undefined && !(processText(child, 'cgroup') ?? id).includes(id));
}
