/** Sizes of huge pages, as the kernel names them, and which of them it can limit. */
import type { CgroupLayout } from './cgroup-files.ts';

/**
 * Bytes of each size that the machine has, smallest first, by the names of its directories, e.g. `hugepages-2048kB`.
 * Source: Documentation/admin-guide/mm/hugetlbpage.rst, /sys/kernel/mm/hugepages
 */
export function pageSizes(directories: readonly string[]): readonly number[] {
  return directories.flatMap(name => /^hugepages-(\d+)kB$/.exec(name)?.[1] ?? []).map(kibibytes => Number(kibibytes) * 2 ** 10).sort((left, right) => left - right);
}

/** The size in names of control group files: `64KB`, `2MB`, `1GB`. Source: Linux, mm/hugetlb_cgroup.c, mem_fmt */
export function pageSizeName(bytes: number): string {
  const [factor, unit] = bytes >= 2 ** 30 ? [2 ** 30, 'GB'] as const : bytes >= 2 ** 20 ? [2 ** 20, 'MB'] as const : [2 ** 10, 'KB'] as const;
  return `${String(Math.trunc(bytes / factor))}${unit}`;
}

/**
 * Whether the machine limits pages of that size in the groups of containers. In version 2 the hugetlb controller has all sizes.
 * Source: Documentation/admin-guide/cgroup-v1/hugetlb.rst; cgroup-v2.rst, "cgroup.controllers"
 */
export function canLimitPages({ version, roots }: CgroupLayout, bytes: number, read: (path: string) => string | undefined): boolean {
  const root = roots.get(version === 1 ? 'hugetlb' : 'unified');
  if (root === undefined) {
    return false;
  }
  return version === 1
    ? read(`${root}/hugetlb.${pageSizeName(bytes)}.limit_in_bytes`) !== undefined
    : (read(`${root}/cgroup.controllers`) ?? '').split(/\s+/).includes('hugetlb');
}
