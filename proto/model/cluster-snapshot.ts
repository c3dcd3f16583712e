/**
 * What etcd held at one revision, as the reconcilers and the scheduler read it. Read it in one go, never across an `await`.
 *
 * Each record comes with its etcd revisions, so that a decision can name what it was made from (fencing, reliability 4).
 */
import type { App, SecretVersion, Service, ServiceStatus } from './app.ts';
import type { ClusterEvent } from './event.ts';
import type { AppId, NodeId, ServiceId, TaskId } from './ids.ts';
import type { Namespace } from './namespace.ts';
import type { ControllerRecord, Ledger, Node, SessionRecord } from './node.ts';
import type { Task, TaskStatus } from './task.ts';
import type { Volume } from './volume.ts';

export interface Versioned<T> {
  readonly value: T;
  readonly createRevision: number;
  readonly modRevision: number;
}

/** Absent: not known. */
export interface UnreadableTask {
  readonly serviceId?: ServiceId;
  readonly node?: NodeId;
}

/** Absent: not known. */
export interface UnreadableNode {
  readonly subnetIndex?: number;
}

export interface ClusterSnapshot {
  readonly etcdRevision: number;
  /** Create revision of the leader key; 0 while there is none. */
  readonly epoch: number;
  readonly leaderId?: string;
  /** There while the mass breaker is open; says since when and why. */
  readonly massBreaker?: Versioned<ClusterEvent>;
  readonly apps: ReadonlyMap<AppId, Versioned<App>>;
  readonly services: ReadonlyMap<ServiceId, Versioned<Service>>;
  readonly serviceStatuses: ReadonlyMap<ServiceId, Versioned<ServiceStatus>>;
  readonly tasks: ReadonlyMap<TaskId, Versioned<Task>>;
  /** Tasks whose record is there and cannot be read: they may run. What is known of them is of an earlier record, or of the legible part. */
  readonly unreadableTasks: ReadonlyMap<TaskId, UnreadableTask>;
  /** Apps and Nodes whose record is there and cannot be read: they are neither deleted nor removed. */
  readonly unreadableApps: ReadonlySet<AppId>;
  readonly unreadableNodes: ReadonlyMap<NodeId, UnreadableNode>;
  readonly statuses: ReadonlyMap<TaskId, Versioned<TaskStatus>>;
  readonly nodes: ReadonlyMap<NodeId, Versioned<Node>>;
  readonly ledgers: ReadonlyMap<NodeId, Versioned<Ledger>>;
  readonly sessions: ReadonlyMap<NodeId, Versioned<SessionRecord>>;
  readonly controllers: ReadonlyMap<string, Versioned<ControllerRecord>>;
  /** Newest version of each, by `namespace/name`. */
  readonly secrets: ReadonlyMap<string, Versioned<SecretVersion>>;
  /** By `volumeId`. */
  readonly volumes: ReadonlyMap<string, Versioned<Volume>>;
  /** Ids of volumes whose record is there and cannot be read: the key alone says where data is. */
  readonly unreadableVolumes: ReadonlySet<string>;
  /** Policies, by name. */
  readonly namespaces: ReadonlyMap<string, Versioned<Namespace>>;
  /** Namespaces whose policy is there and cannot be read: nothing more is applied to them. */
  readonly unreadableNamespaces: ReadonlySet<string>;
  /** Index: tasks of a service, and tasks on a node; order of ids. */
  readonly tasksOfService: ReadonlyMap<ServiceId, ReadonlySet<TaskId>>;
  readonly tasksOnNode: ReadonlyMap<NodeId, ReadonlySet<TaskId>>;
  /** Index: `volumeName` of the volumes whose data a node is to delete. */
  readonly volumesLeaving: ReadonlyMap<NodeId, ReadonlySet<string>>;
}
