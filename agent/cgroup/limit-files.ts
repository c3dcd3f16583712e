/**
 * Maps the limits of a container to texts of control group files, for both versions, whenever a
 * limit is set or changed.
 * Source: Documentation/admin-guide/cgroup-v1/{memory,cpusets,blkio-controller,pids,hugetlb}.rst,
 * scheduler/sched-bwc.rst, cgroup-v2.rst
 */
import { formatMemory } from '#model/quantity.ts';
import type { IoLimits, Limits, TaskResources } from '#model/resources.ts';
import type { CgroupLayout } from './cgroup-files.ts';
import { pageSizeName } from './page-sizes.ts';

/** A value that is written to each existing path. */
export interface LimitFile {
  readonly paths: readonly string[];
  readonly text: string;
  /** Name of the resource for users. */
  readonly what: string;
  /** Action if no path exists: ignore, report, or refuse the limit. */
  readonly ifAbsent: 'ignore' | 'tell' | 'refuse';
  /** A new group has this value already. */
  readonly isUsual?: true;
}

export interface LimitContext {
  readonly layout: CgroupLayout;
  /** Path of the group, absolute inside the hierarchies. */
  readonly path: string;
  /** Bytes of the memory limit in force; v1 never lets memory exceed memory plus swap. */
  readonly memoryBefore: number;
  /** Value of an unlimited cpuset: all cpus of the parent group. Only v1 needs it. */
  readonly allCpus: string;
  /** `major:minor` of the disk for I/O limits; undefined if there is none. */
  readonly device: string | undefined;
  /** Sizes of huge pages of the machine in bytes. */
  readonly pageSizes: readonly number[];
}

export const CPU_PERIOD_MICROSECONDS = 100_000;
/** Source: Linux, kernel/sched/core.c, min_cfs_quota_period: 1 ms */
const MIN_QUOTA_MICROSECONDS = 1_000;
const SHARES = { least: 2, most: 262_144 } as const;
/** Default weight of a group in both versions. */
const USUAL_WEIGHT = 100;

/**
 * Returns the files in the order in which they must be written; for a new group, only those that
 * differ from its defaults.
 */
export function limitFiles(resources: TaskResources, context: LimitContext, isNew = false): readonly LimitFile[] {
  const files = context.layout.version === 1 ? v1Files(resources, context) : v2Files(resources, context);
  return isNew ? files.filter(one => one.isUsual !== true) : files;
}

/** Returns the shares of a request: 1024 per core, within the range of the kernel. */
export function cpuShares(milliCpu: number): number {
  return Math.min(SHARES.most, Math.max(SHARES.least, Math.round(milliCpu * 1.024)));
}

/** Returns microseconds per period; undefined: no limit. */
export function cpuQuota(milliCpu: number | undefined): number | undefined {
  return milliCpu === undefined ? undefined : Math.max(MIN_QUOTA_MICROSECONDS, milliCpu * (CPU_PERIOD_MICROSECONDS / 1000));
}

/**
 * Converts shares to a weight as runtimes do: 2..262144 to 1..10000. Source: crun(1), "CPU
 * controller" of its cgroup v2 table
 */
export function cpuWeight(shares: number): number {
  return 1 + Math.trunc(((shares - SHARES.least) * 9_999) / (SHARES.most - SHARES.least));
}

function v1Files({ requests, limits }: TaskResources, context: LimitContext): readonly LimitFile[] {
  const at = pathsIn(context);
  const { swapBytes = 0, memoryBytes } = limits;
  const memory = file(at('memory', 'memory.limit_in_bytes'), memoryBytes, 'memory');
  const swap: LimitFile = { ...file(at('memory', 'memory.memsw.limit_in_bytes'), memoryBytes + swapBytes, 'swap'), ifAbsent: swapBytes === 0 ? 'ignore' : 'tell' };
  return [
    file(at('cpu', 'cpu.shares'), cpuShares(requests.milliCpu), 'cpus'),
    { ...file(at('cpu', 'cpu.cfs_period_us'), CPU_PERIOD_MICROSECONDS, 'cpus'), ...usualUnless(limits.milliCpu) },
    { ...file(at('cpu', 'cpu.cfs_quota_us'), cpuQuota(limits.milliCpu) ?? -1, 'cpus'), ...usualUnless(limits.milliCpu) },
    ...(memoryBytes > context.memoryBefore ? [swap, memory] : [memory, swap]),
    { ...file(at('memory', 'memory.soft_limit_in_bytes'), requests.memoryBytes, 'requested memory'), ifAbsent: 'ignore' },
    file(at('pids', 'pids.max'), limits.pids, 'pids'),
    { ...file(at('cpuset', 'cpuset.cpus'), limits.cpuset ?? context.allCpus, 'cpuset'), ...wishedOnly(limits.cpuset) },
    weightFile([at('blkio', 'blkio.bfq.weight')], limits.io),
    ...v1Throttles(limits.io ?? {}, context),
    ...(context.layout.roots.has('hugetlb') || limits.hugepages !== undefined ? hugepageFiles(limits.hugepages, context, (size, part) => at('hugetlb', `hugetlb.${size}${part}.limit_in_bytes`)) : []),
  ];
}

/** 0 removes a limit. */
function v1Throttles(io: IoLimits, context: LimitContext): readonly LimitFile[] {
  const { device } = context;
  if (device === undefined) {
    return [];
  }
  return ([['read_bps', io.readBps], ['write_bps', io.writeBps], ['read_iops', io.readIops], ['write_iops', io.writeIops]] as const).map(([name, limit]) => ({
    ...file(pathsIn(context)('blkio', `blkio.throttle.${name}_device`), `${device} ${String(limit ?? 0)}`, `io.${name}`), ...wishedOnly(limit),
  }));
}

function v2Files({ requests, limits }: TaskResources, context: LimitContext): readonly LimitFile[] {
  const at = (name: string): string => pathsIn(context)('unified', name);
  const { swapBytes = 0 } = limits;
  return [
    file(at('cpu.weight'), cpuWeight(cpuShares(requests.milliCpu)), 'cpus'),
    { ...file(at('cpu.max'), `${String(cpuQuota(limits.milliCpu) ?? 'max')} ${String(CPU_PERIOD_MICROSECONDS)}`, 'cpus'), ...usualUnless(limits.milliCpu) },
    file(at('memory.max'), limits.memoryBytes, 'memory'),
    { ...file(at('memory.swap.max'), swapBytes, 'swap'), ifAbsent: swapBytes === 0 ? 'ignore' : 'tell' },
    { ...file(at('memory.low'), requests.memoryBytes, 'requested memory'), ifAbsent: 'ignore' },
    file(at('pids.max'), limits.pids, 'pids'),
    { ...file(at('cpuset.cpus'), `${limits.cpuset ?? ''}\n`, 'cpuset'), ...wishedOnly(limits.cpuset) },
    weightFile([at('io.bfq.weight'), at('io.weight')], limits.io),
    ...v2Throttle(limits.io ?? {}, context, at('io.max')),
    ...hugepageFiles(limits.hugepages, context, (size, part) => at(`hugetlb.${size}${part}.max`)),
  ];
}

function v2Throttle(io: IoLimits, { device }: LimitContext, path: string): readonly LimitFile[] {
  const amounts = [['rbps', io.readBps], ['wbps', io.writeBps], ['riops', io.readIops], ['wiops', io.writeIops]] as const;
  if (device === undefined) {
    return [];
  }
  const text = [device, ...amounts.map(([name, limit]) => `${name}=${String(limit ?? 'max')}`)].join(' ');
  return [{ ...file(path, text, 'io'), ...wishedOnly(amounts.find(([, limit]) => limit !== undefined)) }];
}

/**
 * Allows no huge pages of an unnamed size. Reservations are limited too, so that a program gets the
 * error when it maps pages, not SIGBUS when it touches them. Source:
 * Documentation/admin-guide/cgroup-v1/hugetlb.rst, "Reservation limits"
 */
function hugepageFiles(hugepages: Limits['hugepages'] = [], { pageSizes }: LimitContext, at: (size: string, part: '' | '.rsvd') => string): readonly LimitFile[] {
  return pageSizes.flatMap(pageBytes => {
    const bytes = hugepages.find(limit => limit.pageBytes === pageBytes)?.bytes ?? 0;
    const held = file(at(pageSizeName(pageBytes), ''), bytes, `hugepages.${formatMemory(pageBytes)}`);
    return [{ ...held, ifAbsent: bytes === 0 ? 'ignore' : 'refuse' }, { ...held, paths: [at(pageSizeName(pageBytes), '.rsvd')], ifAbsent: 'ignore' }];
  });
}

/** Only some disk schedulers support weights, and the kernel cannot report that none does. */
function weightFile(paths: readonly string[], io: IoLimits | undefined): LimitFile {
  return { paths, text: String(io?.weight ?? USUAL_WEIGHT), what: 'io.weight', ...wishedOnly(io?.weight), ifAbsent: io?.weight === undefined ? 'ignore' : 'tell' };
}

/** An unset value is the default of a new group, and may be missing in the kernel. */
function wishedOnly(wish: unknown): Pick<LimitFile, 'ifAbsent' | 'isUsual'> {
  return wish === undefined ? { ifAbsent: 'ignore', isUsual: true } : { ifAbsent: 'refuse' };
}

function usualUnless(wish: unknown): Pick<LimitFile, 'isUsual'> {
  return wish === undefined ? { isUsual: true } : {};
}

function file(path: string, text: string | number, what: string): LimitFile {
  return { paths: [path], text: String(text), what, ifAbsent: 'refuse' };
}

function pathsIn({ layout, path }: LimitContext): (controller: string, name: string) => string {
  return (controller, name) => `${layout.roots.get(controller) ?? `/sys/fs/cgroup/${controller}`}${path}/${name}`;
}
