import type { NodeId } from '#model/ids.ts';
import { volumeNames } from '#model/volume.ts';
import type { Cgroups } from './cgroup/ports.ts';
import { inspectDocument } from './inspect.ts';
import type { RootfsSnapshotter } from './snapshot/ports.ts';
import { containerId } from './task/names.ts';
import type { TaskRecords } from './task/ports.ts';
import type { TaskRecord } from './task/record.ts';
import type { Volumes } from './volume/ports.ts';

export interface InspectParts {
  readonly node: NodeId;
  readonly cgroups: Pick<Cgroups, 'usage' | 'processes' | 'place'>;
  readonly snapshots: Pick<RootfsSnapshotter, 'driver' | 'writableBytes'>;
  readonly volumes: Pick<Volumes, 'dataBytes'>;
  readonly records: Pick<TaskRecords, 'logPath'>;
  /** The text of config.json; undefined where there is no bundle. */
  readonly readConfig: (id: string) => Promise<string | undefined>;
  /** Empty for a process that is gone. */
  readonly readNamespaces: (pid: number) => Promise<Readonly<Record<string, string>>>;
}

/** Looks at the task's attempt now. What ends meanwhile is shown as far as it was seen. */
export async function inspectTask(record: TaskRecord, parts: InspectParts): Promise<object> {
  const id = containerId(record.task.id, Math.max(1, record.attempt));
  const pid = record.step === 'running' ? record.container?.container.pid : undefined;
  const [usage, processes, namespaces, config, writableBytes, volumes] = await Promise.all([
    parts.cgroups.usage(id), parts.cgroups.processes(id), pid === undefined ? {} : parts.readNamespaces(pid), parts.readConfig(id), parts.snapshots.writableBytes(id),
    Promise.all(volumeNames(record.task, record.task.slot).map(async name => ({ name, bytes: await parts.volumes.dataBytes(name) ?? null }))),
  ]);
  return inspectDocument({ node: parts.node, record, cgroup: parts.cgroups.place(id), logPath: parts.records.logPath(record.task.id, { attempt: record.attempt }), processes, namespaces, usage, config, rootfs: { driver: parts.snapshots.driver, writableBytes }, volumes });
}
