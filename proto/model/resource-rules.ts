/** What must hold of the resources that a container asks for and is held to. */
import { parseCpuset } from './cpuset.ts';
import type { Violation } from './errors.ts';
import { formatMemory } from './quantity.ts';
import { checkRange } from './range-rules.ts';
import type { HugepageLimit, IoLimits, Limits, TaskResources } from './resources.ts';

const MIN_MEMORY_BYTES = 6 * 2 ** 20;
/** Less than that a file system takes for its own records. */
const MIN_STORAGE_BYTES = 2 ** 20;
/** The smallest that any kernel makes. Source: Linux, arch/arm64/mm/hugetlbpage.c, CONT_PTE_SIZE with pages of 4 KiB */
const MIN_PAGE_BYTES = 2 ** 16;
const MAX_PIDS = 32_768;
const MAX_MILLI_CPU = 1_000_000_000;
/** Source: OCI runtime-spec, config-linux.md, "Block IO": weight */
const WEIGHT = { least: 10, most: 1_000 } as const;
/** A limit below a page a second would stop the container for good. */
const MIN_BPS = 4_096;
/** The kernel counts them in 32 bits. Source: Linux, block/blk-throttle.c, tg_set_conf_uint */
const MAX_IOPS = 4_294_967_295;

/** A request that is the limit is checked as the limit. */
export function checkResources({ requests, limits }: TaskResources, path: string): readonly Violation[] {
  const limitPath = `${path}.limits`;
  const requestPath = `${path}.requests`;
  return [
    ...(requests.milliCpu === limits.milliCpu ? [] : checkAmount(requests.milliCpu, `${requestPath}.cpus`, 1, MAX_MILLI_CPU)),
    ...(requests.memoryBytes === limits.memoryBytes ? [] : checkAmount(requests.memoryBytes, `${requestPath}.memory`, MIN_MEMORY_BYTES, Number.MAX_SAFE_INTEGER)),
    ...(requests.diskBytes === undefined ? [] : checkRange(requests.diskBytes, `${requestPath}.disk`, 1, Number.MAX_SAFE_INTEGER)),
    ...(requests.pids === undefined ? [] : checkRange(requests.pids, `${requestPath}.pids`, 1, limits.pids)),
    ...(limits.milliCpu === undefined ? [] : checkAmount(limits.milliCpu, `${limitPath}.cpus`, 1, MAX_MILLI_CPU)),
    ...checkAmount(limits.memoryBytes, `${limitPath}.memory`, MIN_MEMORY_BYTES, Number.MAX_SAFE_INTEGER),
    ...checkRange(limits.pids, `${limitPath}.pids`, 1, MAX_PIDS),
    ...(limits.milliCpu !== undefined && limits.milliCpu < requests.milliCpu ? [{ path: `${limitPath}.cpus`, message: 'must be at least what is requested' }] : []),
    ...(limits.memoryBytes < requests.memoryBytes ? [{ path: `${limitPath}.memory`, message: 'must be at least what is requested' }] : []),
    ...checkExtra(limits, limitPath),
    ...(limits.io === undefined ? [] : checkIo(limits.io, `${limitPath}.io`)),
    ...(limits.hugepages ?? []).flatMap((limit, index, all) => checkHugepages(limit, all[index - 1], `${limitPath}.hugepages.${formatMemory(limit.pageBytes)}`)),
  ];
}

/** Which sizes a node has is the node's to say. */
function checkHugepages({ pageBytes, bytes }: HugepageLimit, before: HugepageLimit | undefined, path: string): readonly Violation[] {
  if (!Number.isInteger(Math.log2(pageBytes)) || pageBytes < MIN_PAGE_BYTES) {
    return [{ path, message: 'the size of huge pages must be a power of two of at least 64Ki, as 2Mi or 1Gi' }];
  }
  if (before !== undefined && before.pageBytes >= pageBytes) {
    return [{ path, message: 'each size once, smallest first' }];
  }
  return bytes > 0 && Number.isSafeInteger(bytes) && bytes % pageBytes === 0 ? [] : [{ path, message: `must be whole pages of ${formatMemory(pageBytes)}, at least one` }];
}

/** A list that is not in order was not read by `parseCpuset`: equal sets must be equal texts. */
function checkExtra({ cpuset, swapBytes = 0, storageBytes }: Limits, path: string): readonly Violation[] {
  const list = cpuset === undefined ? { value: undefined } : parseCpuset(cpuset);
  const isOrdered = 'value' in list && list.value === cpuset;
  return [
    ...('problem' in list ? [{ path: `${path}.cpuset`, message: list.problem }] : isOrdered ? [] : [{ path: `${path}.cpuset`, message: `must be in order, each cpu once: ${String(list.value)}` }]),
    ...checkRange(swapBytes, `${path}.swap`, 0, Number.MAX_SAFE_INTEGER),
    ...(storageBytes === undefined || (Number.isInteger(storageBytes) && storageBytes >= MIN_STORAGE_BYTES) ? [] : [{ path: `${path}.storage`, message: 'must be at least 1Mi' }]),
  ];
}

function checkIo({ weight, readBps, writeBps, readIops, writeIops }: IoLimits, path: string): readonly Violation[] {
  const check = (value: number | undefined, key: string, least: number, most: number): readonly Violation[] =>
    (value === undefined ? [] : checkRange(value, `${path}.${key}`, least, most));
  return [
    ...check(weight, 'weight', WEIGHT.least, WEIGHT.most),
    ...check(readBps, 'read_bps', MIN_BPS, Number.MAX_SAFE_INTEGER), ...check(writeBps, 'write_bps', MIN_BPS, Number.MAX_SAFE_INTEGER),
    ...check(readIops, 'read_iops', 1, MAX_IOPS), ...check(writeIops, 'write_iops', 1, MAX_IOPS),
  ];
}

function checkAmount(value: number, path: string, least: number, most: number): readonly Violation[] {
  if (Number.isInteger(value) && value >= least && value <= most) {
    return [];
  }
  const bound = least === MIN_MEMORY_BYTES ? 'at least 6Mi' : 'more than 0 (at least 1m) and at most 1000000 cpus';
  return [{ path, message: `must be ${bound}` }];
}
