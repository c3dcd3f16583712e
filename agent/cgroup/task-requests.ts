/**
 * What a task asks for counts where tasks compete: on the task's own group. The kernel shares among the groups of one
 * directory, so a weight on a container's group alone decides only between the containers of one task.
 *
 * Source: Documentation/scheduler/sched-design-CFS.rst, 7; cgroup-v2.rst, "Memory Interface Files", memory.low: "the
 * effective low boundary is limited by low values of ancestor cgroups"
 */
import type { CgroupLayout } from './cgroup-files.ts';

export interface RequestFile {
  /** Mount point of its hierarchy. */
  readonly root: string;
  readonly name: string;
  /** Highest value that the kernel takes. */
  readonly most: number;
  /** True where the groups above limit it, so that the group of all tasks needs the sum of theirs. */
  readonly isBoundedAbove: boolean;
}

/** Source: kernel/sched/sched.h, MAX_SHARES; include/linux/cgroup.h, CGROUP_WEIGHT_MAX */
const MAX_SHARES = 262_144;
const MAX_WEIGHT = 10_000;

/** The files of a group that say what is requested. */
export function requestFiles({ version, roots }: CgroupLayout): readonly RequestFile[] {
  const files = version === 1
    ? [['cpu', 'cpu.shares', MAX_SHARES, false], ['memory', 'memory.soft_limit_in_bytes', Number.MAX_SAFE_INTEGER, false]] as const
    : [['unified', 'cpu.weight', MAX_WEIGHT, false], ['unified', 'memory.low', Number.MAX_SAFE_INTEGER, true]] as const;
  return files.flatMap(([controller, name, most, isBoundedAbove]) => {
    const root = roots.get(controller);
    return root === undefined ? [] : [{ root, name, most, isBoundedAbove }];
  });
}

/** Sum of the values of the groups in one directory; one without a value of its own (`max`, or beyond what is exact) counts nothing. */
export function sumOfRequests(texts: readonly (string | undefined)[], most: number): number {
  const values = texts.map(text => Number(text?.trim() ?? 0)).filter(value => Number.isSafeInteger(value));
  return Math.min(most, values.reduce((sum, value) => sum + value, 0));
}
