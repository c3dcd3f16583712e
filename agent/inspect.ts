/** All that the node knows of one task, as one document: what `clusterctl inspect` shows beside the desired record. */
import type { NodeId } from '#model/ids.ts';
import type { ContainerUsage } from './runtime/ports.ts';
import { containerId } from './task/names.ts';
import type { TaskRecord } from './task/record.ts';

export interface InspectFacts {
  readonly node: NodeId;
  readonly record: TaskRecord;
  readonly cgroup: { readonly version: 1 | 2; readonly path: string; readonly directories: readonly string[] };
  readonly logPath: string;
  /** Of the running container; empty where none runs. */
  readonly processes: readonly number[];
  /** `net` to `net:[4026531840]`. */
  readonly namespaces: Readonly<Record<string, string>>;
  readonly usage: ContainerUsage | undefined;
  readonly rootfs: { readonly driver: string; readonly writableBytes: number };
  /** That it mounts; `bytes` on disk, null where they are too many files to count. */
  readonly volumes: readonly { readonly name: string; readonly bytes: number | null }[];
  /** The text of the bundle's config.json. */
  readonly config: string | undefined;
}

/** Only what the runtime was told of mounts is taken from config.json: the rest of it derives from the spec. */
export function inspectDocument({ node, record, config, usage, ...facts }: InspectFacts): object {
  const { attempt, step, container, slot, resources, isFrozen, restarts, recent, lastExit, health, bootId } = record;
  const { namespaces, processes, cgroup, logPath, rootfs, volumes } = facts;
  return {
    node, step, attempt, restarts, recentEnds: recent, lastExit: lastExit ?? null, health, bootId,
    container: {
      id: attempt === 0 ? null : containerId(record.task.id, attempt), runtime: record.task.container.runtime,
      pid: container?.container.pid ?? null, monitorPid: container?.monitor.pid ?? null, isPaused: isFrozen ?? false, processes, namespaces, logPath,
      mounts: mountsOf(config), rootfs: rootfsOf(config), snapshotter: rootfs.driver, writableBytes: rootfs.writableBytes,
    },
    volumes, cgroup, resourcesInForce: resources ?? null,
    network: slot === undefined ? null : { address: slot.address, namespacePath: slot.networkNamespacePath, userNamespacePath: slot.userNamespacePath, hostBase: slot.hostBase },
    usage: usage ?? null,
  };
}

interface OciConfig {
  readonly mounts?: readonly unknown[];
  readonly root?: { readonly path?: string };
}

function mountsOf(config: string | undefined): readonly unknown[] {
  return parse(config).mounts ?? [];
}

function rootfsOf(config: string | undefined): string | null {
  return parse(config).root?.path ?? null;
}

function parse(config: string | undefined): OciConfig {
  return config === undefined ? {} : JSON.parse(config) as OciConfig;
}
