/**
 * Sets the requests of a task on the group of the task, where tasks compete. The kernel divides
 * resources among the groups of one directory, so a weight on the group of a container only decides
 * between containers of one task.
 * Source: Documentation/scheduler/sched-design-CFS.rst, 7; cgroup-v2.rst, "Memory Interface Files",
 * memory.low: "the effective low boundary is limited by low values of ancestor cgroups"
 */
import type { CgroupLayout } from './cgroup-files.ts';

export interface RequestFile {
  /** Mount point of its hierarchy. */
  readonly root: string;
  readonly name: string;
  /** Highest value that the kernel accepts. */
  readonly most: number;
  /**
   * True if the groups above limit it, so that the group of all tasks needs the sum of their
   * values.
   */
  readonly isBoundedAbove: boolean;
}

/** Source: kernel/sched/sched.h, MAX_SHARES; include/linux/cgroup.h, CGROUP_WEIGHT_MAX */
const MAX_SHARES = 262_144;
const MAX_WEIGHT = 10_000;

/** Returns the files of a group for requests. */
export function requestFiles({ version, roots }: CgroupLayout): readonly RequestFile[] {
  const files = version === 1
    ? [['cpu', 'cpu.shares', MAX_SHARES, false], ['memory', 'memory.soft_limit_in_bytes', Number.MAX_SAFE_INTEGER, false]] as const
    : [['unified', 'cpu.weight', MAX_WEIGHT, false], ['unified', 'memory.low', Number.MAX_SAFE_INTEGER, true]] as const;
  return files.flatMap(([controller, name, most, isBoundedAbove]) => {
    const root = roots.get(controller);
    return root === undefined ? [] : [{ root, name, most, isBoundedAbove }];
  });
}

/**
 * Sums the values of the groups in one directory; `max` and values beyond the exact range count as
 * 0.
 */
export function sumOfRequests(texts: readonly (string | undefined)[], most: number): number {
  const values = texts.map(text => Number(text?.trim() ?? 0)).filter(value => Number.isSafeInteger(value));
  return Math.min(most, values.reduce((sum, value) => sum + value, 0));
}
