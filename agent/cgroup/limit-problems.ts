/** Finds problems of limits before the kernel is asked, because it would kill for some of them. */
import { missingCpu } from '#model/cpuset.ts';
import { formatMemory } from '#model/quantity.ts';
import type { TaskResources } from '#model/resources.ts';
import type { LimitContext } from './limit-files.ts';

/**
 * Returns the problem for users, or undefined. @param inUseBytes  memory that the kernel cannot
 * reclaim: below it v2 would kill, v1 refuse
 */
export function findProblem({ limits }: TaskResources, { allCpus, device, pageSizes }: LimitContext, inUseBytes: number): string | undefined {
  if (limits.memoryBytes < inUseBytes) {
    return `memory ${formatMemory(limits.memoryBytes)} is below the ${formatMemory(inUseBytes)} in use; the limit stays until less is used`;
  }
  const missing = limits.cpuset === undefined ? undefined : missingCpu(limits.cpuset, allCpus);
  if (missing !== undefined) {
    return `cpuset ${String(limits.cpuset)}: this node has no cpu ${String(missing)}, it has ${allCpus}`;
  }
  const strange = limits.hugepages?.find(({ pageBytes }) => !pageSizes.includes(pageBytes));
  if (strange !== undefined) {
    return `hugepages: this node has no pages of ${formatMemory(strange.pageBytes)}, it has ${pageSizes.map(formatMemory).join(', ') || 'none'}`;
  }
  const { weight: _weight, ...throttles } = limits.io ?? {};
  return Object.keys(throttles).length > 0 && device === undefined ? 'io: the state directory of this node is on no single disk, so nothing can be limited there' : undefined;
}
