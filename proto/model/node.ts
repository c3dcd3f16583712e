/** A machine with an agent. */
import type { NodeId } from './ids.ts';
import type { Resources } from './resources.ts';
import type { DeviceCount } from './service.ts';

/** Wished by an operator. */
export type Availability = 'active' | 'cordoned' | 'draining';

/** What a node offers to tasks that ask for it; set where the node is, nothing by default. */
export interface NodePolicy {
  /** Directories that tasks may bind, and what is in them. */
  readonly bindPrefixes: readonly string[];
  /** Device nodes that services may name under `devices`. */
  readonly devicePaths: readonly string[];
  /** Units of named devices, sorted by name. */
  readonly devices: readonly DeviceCount[];
  /** Runs services of profile `privileged`. */
  readonly allowsPrivileged: boolean;
}

export const CLOSED_NODE_POLICY: NodePolicy = { bindPrefixes: [], devicePaths: [], devices: [], allowsPrivileged: false };

/** Sizes of huge pages that a node has and can limit. */
export interface PageSizes {
  /** Smallest first. */
  readonly bytes: readonly number[];
}

/**
 * The Node record. Facts come from the agent's registration, availability, labels and taints from ControlApi,
 * `condition` from the controllers' counted silence (reliability 3): the session holder writes `ready` and `silent`, the leader `lost`.
 */
export interface Node {
  readonly id: NodeId;
  readonly availability: Availability;
  /** Operator's labels and the agent's; `node arch os` are always there. */
  readonly labels: ReadonlyMap<string, string>;
  readonly taints: readonly string[];
  /** Index of its /24 in 10.128.0.0/11, given at the first registration, kept for ever. */
  readonly subnetIndex: number;
  /** Where the other nodes reach it: an IPv4 address of the underlay. */
  readonly address: string;
  readonly capacity: Resources;
  /** Most processes on the node, for display. */
  readonly pids: number;
  readonly runtimes: readonly string[];
  readonly policy: NodePolicy;
  /** Its online cpus, as `0-3,8`; empty: not known. */
  readonly cpus: string;
  /** Absent: its agent does not report them. */
  readonly hugepageSizes?: PageSizes;
  readonly agentVersion: string;
  /** `host:port` of its /metrics; empty: it serves none. */
  readonly metricsAddress: string;
  /** How it makes root file systems: overlay, btrfs or vfs; empty: its agent does not say. */
  readonly snapshotter: string;
  /** What stops exclusive tasks when the agent does not is at work, as its session says; false: its agent does not know of any. */
  readonly hasDeadman: boolean;
  /** What its agent cannot make of its network, in words; empty: nothing. It gets no tasks meanwhile. */
  readonly networkFault: string;
  /** Ports on which processes of the machine listen that are no tasks, as `tcp/22`, sorted; empty: none, or its agent does not say. */
  readonly listeningPorts: readonly string[];
  /** What its agent does with newer fields of tasks (model/capability.ts), also names that this program does not know; empty: an agent of before. */
  readonly capabilities: readonly string[];
  readonly condition: 'ready' | 'silent' | 'lost';
  readonly conditionSinceMs: number;
  /** An operator said that the loss is true (`node confirm-lost`). */
  readonly isLossConfirmed: boolean;
  readonly createdAtMs: number;
}

/** Who holds a node's session. Replaced by each registration; status writes compare its etcd revision. */
export interface SessionRecord {
  readonly node: NodeId;
  readonly sessionId: string;
  readonly controllerId: string;
  readonly openedAtMs: number;
  /**
   * The nonce that the newest instance of the agent presents next: a copy of an older state does not know it. Empty: a join came since,
   * and only an instance without a nonce may follow.
   */
  readonly instanceNonce: string;
}

/** `host:port` of a live controller; its key hangs on a lease of LEASE. */
export interface ControllerRecord {
  readonly id: string;
  readonly apiAddress: string;
  readonly metricsAddress: string;
  readonly startedAtMs: number;
  /** `host:port` of the join listener; absent where nobody can join, and from an older controller. */
  readonly joinAddress?: string;
}

/** What is promised of a node: each placement rewrites it in its own transaction (reliability 4.3). */
export interface Ledger {
  readonly node: NodeId;
  readonly requests: Resources;
  /** `protocol/port` of host-mode ports, sorted. */
  readonly hostPorts: readonly string[];
}
