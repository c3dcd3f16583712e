/**
 * What a container is held to, as texts of control group files: one mapping for both versions, used whenever a limit is set or changed.
 *
 * Source: Documentation/admin-guide/cgroup-v1/{memory,cpusets,blkio-controller,pids,hugetlb}.rst, scheduler/sched-bwc.rst, cgroup-v2.rst
 */
import { formatMemory } from '#model/quantity.ts';
import type { IoLimits, Limits, TaskResources } from '#model/resources.ts';
import type { CgroupLayout } from './cgroup-files.ts';
import { pageSizeName } from './page-sizes.ts';

/** One value, written to each of `paths` that is there. */
export interface LimitFile {
  readonly paths: readonly string[];
  readonly text: string;
  /** The resource in a person's words. */
  readonly what: string;
  /** Where none of the paths is there: nothing is lost, it is told, or the limit cannot be promised. */
  readonly ifAbsent: 'ignore' | 'tell' | 'refuse';
  /** A group that the runtime just made has it already. */
  readonly isUsual?: true;
}

export interface LimitContext {
  readonly layout: CgroupLayout;
  /** Of the group, absolute inside the hierarchies. */
  readonly path: string;
  /** Bytes of the memory limit in force; v1 never lets memory exceed memory and swap together. */
  readonly memoryBefore: number;
  /** What an unlimited cpuset is: all that the parent group has. Only v1 asks for it. */
  readonly allCpus: string;
  /** `major:minor` of the disk that io limits are about; absent: there is none. */
  readonly device: string | undefined;
  /** Bytes of each size of huge pages that the machine has. */
  readonly pageSizes: readonly number[];
}

export const CPU_PERIOD_MICROSECONDS = 100_000;
/** Source: Linux, kernel/sched/core.c, min_cfs_quota_period: 1 ms */
const MIN_QUOTA_MICROSECONDS = 1_000;
const SHARES = { least: 2, most: 262_144 } as const;
/** What a group without a weight of its own has, in both versions. */
const USUAL_WEIGHT = 100;

/** In the order in which they have to be written. For a new group, those alone that it does not have by itself. */
export function limitFiles(resources: TaskResources, context: LimitContext, isNew = false): readonly LimitFile[] {
  const files = context.layout.version === 1 ? v1Files(resources, context) : v2Files(resources, context);
  return isNew ? files.filter(one => one.isUsual !== true) : files;
}

/** Shares of a request: 1024 a core, within what the kernel takes. */
export function cpuShares(milliCpu: number): number {
  return Math.min(SHARES.most, Math.max(SHARES.least, Math.round(milliCpu * 1.024)));
}

/** Microseconds a period; undefined: no limit. */
export function cpuQuota(milliCpu: number | undefined): number | undefined {
  return milliCpu === undefined ? undefined : Math.max(MIN_QUOTA_MICROSECONDS, milliCpu * (CPU_PERIOD_MICROSECONDS / 1000));
}

/** The weight that runtimes make of shares: 2..262144 onto 1..10000. Source: crun(1), "CPU controller" of its cgroup v2 table */
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

/** 0 takes a limit away. */
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
 * None of a size that is not named. What is reserved is held too, so that a program learns of the limit when it maps pages, not by SIGBUS when it
 * touches them. Source: Documentation/admin-guide/cgroup-v1/hugetlb.rst, "Reservation limits"
 */
function hugepageFiles(hugepages: Limits['hugepages'] = [], { pageSizes }: LimitContext, at: (size: string, part: '' | '.rsvd') => string): readonly LimitFile[] {
  return pageSizes.flatMap(pageBytes => {
    const bytes = hugepages.find(limit => limit.pageBytes === pageBytes)?.bytes ?? 0;
    const held = file(at(pageSizeName(pageBytes), ''), bytes, `hugepages.${formatMemory(pageBytes)}`);
    return [{ ...held, ifAbsent: bytes === 0 ? 'ignore' : 'refuse' }, { ...held, paths: [at(pageSizeName(pageBytes), '.rsvd')], ifAbsent: 'ignore' }];
  });
}

/** Only some disk schedulers share by weight, and the kernel has no word for "none would do". */
function weightFile(paths: readonly string[], io: IoLimits | undefined): LimitFile {
  return { paths, text: String(io?.weight ?? USUAL_WEIGHT), what: 'io.weight', ...wishedOnly(io?.weight), ifAbsent: io?.weight === undefined ? 'ignore' : 'tell' };
}

/** What nobody asked for is as a new group has it, and nobody misses it where the kernel does not have it. */
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
