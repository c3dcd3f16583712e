/** Resources with some of them changed, as `docker update` changes them. */
import type { IoLimits, Limits, ResourceChange, Resources, TaskResources } from './resources.ts';

/** A request that was the limit goes with it, as it does in a manifest that writes only the limit; otherwise it stays. */
export function changeResources(before: TaskResources, change: ResourceChange): TaskResources {
  const limits = changeLimits(before.limits, change);
  return { requests: changeRequests(before, limits, change), limits };
}

function changeRequests({ requests, limits: old }: TaskResources, limits: Limits, change: ResourceChange): Resources {
  const isCpuLimit = requests.milliCpu === old.milliCpu && limits.milliCpu !== undefined;
  return {
    ...requests,
    milliCpu: change.requestMilliCpu ?? (isCpuLimit ? limits.milliCpu : requests.milliCpu),
    memoryBytes: change.requestMemoryBytes ?? (requests.memoryBytes === old.memoryBytes ? limits.memoryBytes : requests.memoryBytes),
  };
}

function changeLimits(before: Limits, change: ResourceChange): Limits {
  const io = withoutZeros({ ...before.io, ...change.io });
  const { milliCpu = 0, cpuset = '', swapBytes = 0, memoryBytes, pids, storageBytes, hugepages } = { ...before, ...change };
  return {
    ...(milliCpu === 0 ? {} : { milliCpu }),
    memoryBytes,
    pids,
    ...(cpuset === '' ? {} : { cpuset }),
    ...(swapBytes === 0 ? {} : { swapBytes }),
    ...(Object.keys(io).length === 0 ? {} : { io }),
    ...(storageBytes === undefined ? {} : { storageBytes }),
    ...(hugepages === undefined ? {} : { hugepages }),
  };
}

function withoutZeros(io: IoLimits): IoLimits {
  return Object.fromEntries(Object.entries(io).filter(([, value]) => value !== 0));
}
