import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import type { NodeId, TaskId } from '#model/ids.ts';
import type { PublishedPort, SidecarNamespace } from '#model/service.ts';
import type { Task, TaskStatus } from '#model/task.ts';
import type { Cgroups } from '../cgroup/ports.ts';
import type { NodeDns } from '../dns/ports.ts';
import type { HealthProber } from '../health/ports.ts';
import type { ImageConfig } from '#model/node-images.ts';
import type { ImageStore } from '../image/ports.ts';
import type { NetworkSlot, NodeNetwork } from '../network/ports.ts';
import type { ServiceProxy } from '../proxy/ports.ts';
import type { ContainerUser } from '../runtime/container-user.ts';
import type { ContainerRuntime } from '../runtime/ports.ts';
import type { RootfsSnapshotter } from '../snapshot/ports.ts';
import type { OciMount, Volumes } from '../volume/ports.ts';
import type { JoinedNamespaces } from './joined-namespaces.ts';
import type { LogName } from './log-name.ts';
import type { ContainerName } from './names.ts';
import type { TaskRecord } from './record.ts';
import type { StartGate } from './start-gate-flow.ts';

/**
 * Durable records of the tasks of this node.
 *
 * 1. When `save` or `appendStart` resolved, a crash of the machine does not lose it. 2. A record is wholly the old or wholly the new one.
 * 3. Fields that this version does not know survive a `save`. 4. `forget` removes the record and the logs; absent is fine.
 */
export interface TaskRecords {
  save(record: TaskRecord): Promise<void>;
  /** `corrupt` are tasks whose record could not be read; it was put aside. @throws ClusterError FAILED_PRECONDITION for records of a newer form */
  load(): Promise<{ readonly records: readonly TaskRecord[]; readonly corrupt: readonly TaskId[] }>;
  forget(task: TaskId): Promise<void>;
  /** The start journal: called once before each start of a container. */
  appendStart(name: ContainerName): Promise<void>;
  /** The highest attempt that the journal knows of each task. */
  lastStarts(): Promise<ReadonlyMap<TaskId, number>>;
  /** Makes the directory of the task's logs; it lasts when the record was saved. */
  makeLogs(task: TaskId): Promise<void>;
  /** Where the container's output goes. */
  logPath(task: TaskId, log: LogName): string;
  /** The log of the same container's run before; undefined where none is left. */
  previousLogPath(task: TaskId, current: LogName): Promise<string | undefined>;
  /** Removes the logs that `isDropped` names, with what was rotated out of them. */
  dropLogs(task: TaskId, isDropped: (log: LogName) => boolean): Promise<void>;
}

/** Bundle directories, on a file system that need not survive a boot. */
export interface Bundles {
  /** Makes the directory anew with `files` (name to text) in it, passable for root and `group` alone, and returns its path. */
  create(id: string, files: ReadonlyMap<string, string>, group: number): Promise<string>;
  pathOf(id: string): string;
  remove(id: string): Promise<void>;
  list(): Promise<readonly string[]>;
}

/** Where task loops say how things are. `report` takes the newest status; it never blocks. */
export interface StatusSink {
  report(status: TaskStatus): void;
  /** The task is no longer ours: nothing more to say. */
  drop(task: TaskId): void;
}

/** Asked right before each start, since the answer may have changed while the task waited (reliability 4.6). */
export interface StartPermit {
  /** `isFirst`: nothing of this task ever ran here. `stopAfterMs`: the task's, where it is exclusive. */
  mayStart(isFirst: boolean, stopAfterMs?: number): boolean;
  /** How long an exclusive task may run yet; 0 or less: it is to be stopped now. */
  untilCutOffMs(stopAfterMs: number): number;
}

/** Another process that kills the attempts of exclusive tasks at their time, whatever becomes of this one (agent/deadman). It must be told before anything of an attempt is made. */
export interface Deadman {
  /** From now on the attempt has its time. False while no deadman is at work; true for a task that is not exclusive. */
  guard(task: Task, attempt: number): boolean;
  /** Nothing of any attempt of the task is left. */
  release(task: TaskId): void;
  releaseAllBut(tasks: ReadonlySet<TaskId>): void;
  /** It killed the attempt, or is about to. */
  hasKilled(task: TaskId, attempt: number): boolean;
}

/** What config.json is made from, once everything it names is there. */
export interface ConfigRequest {
  readonly task: Task;
  readonly image: ImageConfig;
  readonly rootfsPath: string;
  /** By `userOf`. */
  readonly user: ContainerUser;
  readonly slot: NetworkSlot;
  readonly deviceUnits: readonly string[];
  readonly mounts: readonly OciMount[];
  readonly cgroupsPath: string;
  readonly bundlePath: string;
  /** Namespaces that it joins: by `hold`. */
  readonly joined: HeldNamespaces['paths'];
  /** It may trace the processes that it sees. */
  readonly isDebugger?: boolean;
}

/** Units of the node's named devices: each is one task's, or shared by those that ask for no more than a share, until they are finished. */
export interface Devices {
  /** The task's units, the same each time. @throws ClusterError RESOURCE_EXHAUSTED when not so many are free */
  take(task: Task): readonly string[];
  release(task: TaskId): void;
  /** What a record says that the task holds. */
  adopt(task: Task, units: readonly string[]): void;
}

/** Open namespaces; a path leads to its namespace until it is disposed of, whatever becomes of the process. */
export interface HeldNamespaces extends Disposable {
  readonly paths: Readonly<Partial<Record<SidecarNamespace, string>>>;
}

/** config.json of a container. @throws ClusterError when task and image together cannot run */
export interface ContainerConfigs {
  /** Who the container's first process is, as ids inside it. @throws ClusterError when the image does not know the user */
  userOf(task: Task, image: ImageConfig, rootfsPath: string): Promise<ContainerUser>;
  /** Until the container that joins them is made. @throws ClusterError FAILED_PRECONDITION when a process is gone */
  hold(joined: JoinedNamespaces): HeldNamespaces;
  configJson(request: ConfigRequest): Promise<string>;
}

/** Something worth telling people; never decided on. */
export interface TaskEvent {
  readonly type: 'normal' | 'warning';
  readonly task: Task;
  readonly reason: string;
  readonly message: string;
}

export interface TaskEvents {
  happened(event: TaskEvent): void;
}

/** What the time of a start goes into. */
export type StartStep = 'net' | 'mount' | 'create' | 'start';

/** Ports of the machine that tasks publish as they are. */
export interface HostPorts {
  /** Which of `ports` a process of the machine has already, and which process, in words; undefined: none. */
  taken(ports: readonly PublishedPort[]): Promise<string | undefined>;
}

/** Everything a task loop works with. */
export interface TaskParts {
  readonly node: NodeId;
  readonly bootId: string;
  readonly images: ImageStore;
  readonly snapshots: Pick<RootfsSnapshotter, 'prepare' | 'remove' | 'list' | 'isMounted' | 'limit'>;
  readonly network: Pick<NodeNetwork, 'acquire' | 'release'>;
  /** Why the node's network is not there yet, in words; undefined: it is. */
  readonly networkProblem: () => string | undefined;
  readonly proxy: Pick<ServiceProxy, 'admit' | 'dismiss'>;
  readonly hostPorts: HostPorts;
  readonly volumes: Volumes;
  readonly runtime: ContainerRuntime;
  readonly cgroups: Pick<Cgroups, 'pathFor' | 'expectMove' | 'killAll' | 'limit' | 'freeze' | 'thaw'>;
  readonly dns: Pick<NodeDns, 'resolvConf'>;
  readonly prober: HealthProber;
  readonly configs: ContainerConfigs;
  readonly devices: Devices;
  readonly bundles: Bundles;
  readonly records: TaskRecords;
  readonly statuses: StatusSink;
  readonly events: TaskEvents;
  readonly permit: StartPermit;
  readonly deadman: Deadman;
  readonly startGate: StartGate;
  readonly onStep: (step: StartStep, durationMs: number) => void;
  readonly clock: Clock;
  readonly log: Logger;
  /** 0 <= random() < 1, for jitter. */
  readonly random: () => number;
}
