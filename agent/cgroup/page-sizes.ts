/** Sizes of huge pages, as the kernel names them. */

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
