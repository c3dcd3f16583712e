/**
 * Parses texts of control group files to the usage of a container. Source:
 * Documentation/admin-guide/cgroup-v1/memory.rst, cgroup-v2.rst
 */
import type { ContainerUsage } from '../runtime/ports.ts';

/** Texts by the names of `usageFiles`; absent if the file does not exist. */
export type UsageTexts = Readonly<Record<string, string | undefined>>;

/**
 * Computes the usage; absent texts count as 0. Memory excludes page cache that the kernel can
 * reclaim first (inactive_file), as other runtimes report it.
 */
export function parseUsage(version: 1 | 2, texts: UsageTexts): ContainerUsage {
  const memoryBytes = plainNumber(texts['memory']);
  const reclaimable = keyedNumber(texts['memoryStat'], version === 1 ? 'total_inactive_file' : 'inactive_file');
  return {
    cpuMicroseconds: version === 1 ? Math.round(plainNumber(texts['cpu']) / 1000) : keyedNumber(texts['cpu'], 'usage_usec'),
    memoryBytes: Math.max(0, memoryBytes - reclaimable),
    memoryLimitBytes: plainNumber(texts['memoryLimit']),
    processes: plainNumber(texts['processes']),
    oomKills: keyedNumber(texts['oom'], 'oom_kill'),
    ...parseIo(version, texts['io'] ?? ''),
    ...parsePressures(texts),
  };
}

/** Parses v1 lines `major:minor Read bytes`, or v2 words `rbytes=bytes` for each disk. */
function parseIo(version: 1 | 2, text: string): Pick<ContainerUsage, 'ioReadBytes' | 'ioWriteBytes'> {
  const sum = (pattern: RegExp): number => [...text.matchAll(pattern)].reduce((bytes, match) => bytes + Number(match[1]), 0);
  return version === 1
    ? { ioReadBytes: sum(/^\d+:\d+ Read (\d+)$/gm), ioWriteBytes: sum(/^\d+:\d+ Write (\d+)$/gm) }
    : { ioReadBytes: sum(/\brbytes=(\d+)/g), ioWriteBytes: sum(/\bwbytes=(\d+)/g) };
}

function parsePressures(texts: UsageTexts): Pick<ContainerUsage, 'pressure'> {
  const [cpu, memory, io] = ['cpuPressure', 'memoryPressure', 'ioPressure'].map(name => parsePressure(texts[name]));
  return cpu === undefined || memory === undefined || io === undefined ? {} : { pressure: { cpu, memory, io } };
}

/**
 * Returns the microseconds in which some process waited for the resource; undefined if the kernel
 * has no such file. Source: Documentation/accounting/psi.rst
 */
export function parsePressure(text: string | undefined): number | undefined {
  const total = /^some .*\btotal=(\d+)$/m.exec(text ?? '')?.[1];
  return total === undefined ? undefined : Number(total);
}

/** Parses a number; `max` means no limit: 0. */
function plainNumber(text: string | undefined): number {
  const value = Number((text ?? '').trim());
  return Number.isFinite(value) ? value : 0;
}

/** Returns the number of `key` in lines of `key value`. */
function keyedNumber(text: string | undefined, key: string): number {
  const line = (text ?? '').split('\n').find(candidate => candidate.startsWith(`${key} `));
  return line === undefined ? 0 : plainNumber(line.slice(key.length + 1));
}
