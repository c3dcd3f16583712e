import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '#kit/clock.ts';
import type { NodeId } from '#model/ids.ts';
import type { UsageSample } from '#model/usage.ts';
import type { Cgroups } from './cgroup/ports.ts';
import type { TaskUsage } from './metrics.ts';
import type { LinkCounters } from './network/link-counters.ts';
import { hostNumberOfSlot } from './network/link-names.ts';
import type { ContainerUsage } from './runtime/ports.ts';
import type { RootfsSnapshotter } from './snapshot/ports.ts';
import { claimedContainers } from './task/record.ts';
import type { TaskRecord } from './task/record.ts';
import { sampleOf } from './usage.ts';
import { writableBytesOf } from './writable-flow.ts';

export interface UsageSources {
  readonly cgroups: Pick<Cgroups, 'usage'>;
  /** By the name of a task's link. */
  readonly linkCounters: () => ReadonlyMap<string, LinkCounters>;
  readonly taskLinkPrefix: string;
}

export interface SampleSources extends UsageSources {
  readonly node: NodeId;
  readonly snapshots: Pick<RootfsSnapshotter, 'writableBytes'>;
  readonly clock: Clock;
}

/** What the running ones of `records` use now; one that ended meanwhile is left out. */
export async function readUsages(records: readonly TaskRecord[], sources: UsageSources): Promise<readonly TaskUsage[]> {
  const links = sources.linkCounters();
  const usages: TaskUsage[] = [];
  for (const record of records.filter(one => one.step === 'running')) {
    const usage = await usageOf(record, links, sources);
    if (usage !== undefined) usages.push(usage);
    await turn(); // hundreds of tasks are no single block of the loop
  }
  return usages;
}

/** The same as they leave the node; `withWritable`: also what their writable layers hold. */
export async function readSamples(records: readonly TaskRecord[], from: SampleSources, withWritable: boolean): Promise<readonly UsageSample[]> {
  const samples = (await readUsages(records, from)).map(usage => sampleOf(usage, from.node, from.clock.nowMs()));
  if (!withWritable) {
    return samples;
  }
  const byTask = new Map(records.map(record => [record.task.id, record]));
  return await Promise.all(samples.map(async sample => {
    const record = byTask.get(sample.task);
    return record === undefined ? sample : { ...sample, writableBytes: await writableBytesOf(record, from.snapshots) };
  }));
}

async function usageOf(record: TaskRecord, links: ReadonlyMap<string, LinkCounters>, sources: UsageSources): Promise<TaskUsage | undefined> {
  const { task, attempt, restarts, slot } = record;
  const usage = sumUsages(await Promise.all(claimedContainers(record).map(async id => await sources.cgroups.usage(id))));
  const hostNumber = slot === undefined ? undefined : hostNumberOfSlot(slot.id);
  const link = hostNumber === undefined ? undefined : links.get(`${sources.taskLinkPrefix}${String(hostNumber)}`);
  return usage === undefined ? undefined : { task, attempt, restarts, ...usage, link };
}

/** What all containers of a task use together, and the pressure on its main one; undefined when none is there any more. */
function sumUsages(usages: readonly (ContainerUsage | undefined)[]): ContainerUsage | undefined {
  return usages.reduce((sum, one) => (sum === undefined || one === undefined ? sum ?? one : {
    cpuMicroseconds: sum.cpuMicroseconds + one.cpuMicroseconds,
    memoryBytes: sum.memoryBytes + one.memoryBytes,
    memoryLimitBytes: sum.memoryLimitBytes + one.memoryLimitBytes,
    processes: sum.processes + one.processes,
    oomKills: sum.oomKills + one.oomKills,
    ioReadBytes: sum.ioReadBytes + one.ioReadBytes,
    ioWriteBytes: sum.ioWriteBytes + one.ioWriteBytes,
    ...(sum.pressure === undefined ? {} : { pressure: sum.pressure }),
  }), undefined);
}
