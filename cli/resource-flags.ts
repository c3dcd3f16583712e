/** `update`'s flags, docker's where docker has them -> the change that they ask for. */
import { ClusterError } from '#model/errors.ts';
import { parseCpuset } from '#model/cpuset.ts';
import { parseCpu, parseMemory } from '#model/quantity.ts';
import type { Parsed } from '#model/quantity.ts';
import type { ResourceChange } from '#model/resources.ts';
import { readCount, UsageError } from './options.ts';

export interface ResourceFlags {
  readonly cpus?: string;
  readonly memory?: string;
  readonly memorySwap?: string;
  readonly pidsLimit?: string;
  readonly cpusetCpus?: string;
  readonly blkioWeight?: string;
  readonly readBps?: string;
  readonly writeBps?: string;
  readonly readIops?: string;
  readonly writeIops?: string;
  readonly requestCpus?: string;
  readonly requestMemory?: string;
}

/** What the flags say; `--memory-swap` counts memory in, as docker's does. */
export interface ResourceWish {
  readonly change: ResourceChange;
  readonly memoryAndSwapBytes?: number;
}

const MAX_COUNT = 1_000_000_000;

/** @throws UsageError where nothing is to change; ClusterError INVALID_ARGUMENT naming the flag */
export function readResourceFlags(flags: ResourceFlags): ResourceWish {
  const io = defined({
    weight: readNumber('--blkio-weight', flags.blkioWeight),
    readBps: readAmount('--read-bps', flags.readBps, parseMemory), writeBps: readAmount('--write-bps', flags.writeBps, parseMemory),
    readIops: readNumber('--read-iops', flags.readIops), writeIops: readNumber('--write-iops', flags.writeIops),
  });
  const change: ResourceChange = defined({
    milliCpu: readAmount('--cpus', flags.cpus, parseCpu), memoryBytes: readAmount('--memory', flags.memory, parseMemory),
    pids: readNumber('--pids-limit', flags.pidsLimit), cpuset: flags.cpusetCpus === '' ? '' : readAmount('--cpuset-cpus', flags.cpusetCpus, parseCpuset),
    requestMilliCpu: readAmount('--request-cpus', flags.requestCpus, parseCpu), requestMemoryBytes: readAmount('--request-memory', flags.requestMemory, parseMemory),
    io: Object.keys(io).length === 0 ? undefined : io,
  });
  const memoryAndSwapBytes = readAmount('--memory-swap', flags.memorySwap, parseMemory);
  if (memoryAndSwapBytes === undefined && Object.keys(change).length === 0) {
    throw new UsageError('nothing to change; give --memory, --cpus or another of update --help');
  }
  return { change, ...defined({ memoryAndSwapBytes }) };
}

/** The wish for a container that is held to `memoryBytes` now. @throws ClusterError INVALID_ARGUMENT for memory and swap together below the memory alone */
export function changeFor({ change, memoryAndSwapBytes }: ResourceWish, memoryBytes: number): ResourceChange {
  if (memoryAndSwapBytes === undefined) {
    return change;
  }
  const swapBytes = memoryAndSwapBytes - (change.memoryBytes ?? memoryBytes);
  if (swapBytes < 0) {
    throw new ClusterError('INVALID_ARGUMENT', `--memory-swap is memory and swap together: at least the memory, ${String(change.memoryBytes ?? memoryBytes)} bytes, got ${String(memoryAndSwapBytes)}`);
  }
  return { ...change, swapBytes };
}

function readAmount<T>(flag: string, text: string | undefined, parse: (text: string) => Parsed<T>): T | undefined {
  if (text === undefined) {
    return undefined;
  }
  const parsed = parse(text);
  if ('problem' in parsed) {
    throw new ClusterError('INVALID_ARGUMENT', `${flag}: ${parsed.problem}`);
  }
  return parsed.value;
}

function readNumber(flag: string, text: string | undefined): number | undefined {
  return text === undefined ? undefined : readCount(flag, text, 0, MAX_COUNT);
}

function defined<Fields extends object>(fields: Fields): { readonly [Name in keyof Fields]?: Exclude<Fields[Name], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as { readonly [Name in keyof Fields]?: Exclude<Fields[Name], undefined> };
}
