/** Messages of one agent session, as both ends see them. The wire form is `gantry/v1/agent.proto`. */
import type { Assignment } from './assignment.ts';
import type { EndpointChange } from './endpoint-change.ts';
import type { EndpointSet } from './endpoints.ts';
import type { ClusterEvent } from './event.ts';
import type { NodeId, TaskId } from './ids.ts';
import type { Node, NodePolicy, PageSizes } from './node.ts';
import type { Resources } from './resources.ts';
import type { TaskStatus } from './task.ts';
import type { RegistryLogin } from './node-images.ts';
import type { TunnelRequest } from './tunnel.ts';
import type { UsageSample } from './usage.ts';
import type { VolumeUse } from './volume.ts';

export interface Registration {
  readonly kind: 'register';
  readonly node: NodeId;
  readonly agentVersion: string;
  readonly bootId: string;
  /** Underlay IPv4 address for vxlan. */
  readonly address: string;
  readonly capacity: Resources;
  readonly pids: number;
  readonly labels: ReadonlyMap<string, string>;
  readonly runtimes: readonly string[];
  readonly policy: NodePolicy;
  /** Online cpus, as `0-3,8`. */
  readonly cpus: string;
  /** As in Node. */
  readonly hugepageSizes?: PageSizes;
  /** OCI platform, e.g. `amd64`. */
  readonly architecture: string;
  /** `host:port` of its metrics listener. */
  readonly metricsAddress: string;
  /** How root file systems are made: overlay, btrfs or vfs. */
  readonly snapshotter: string;
  /** False for an agent of before: it gets each set of the endpoints whole. */
  readonly takesEndpointChanges: boolean;
  /** A full assignment may have `keptTasks`; absent from an agent of before. */
  readonly takesKeptTasks?: boolean;
  /** What stops exclusive tasks when the agent does not is at work. */
  readonly hasDeadman: boolean;
  /** As in Node. */
  readonly networkFault: string;
  /** As in Node. */
  readonly listeningPorts: readonly string[];
  /** As in Node. */
  readonly capabilities: readonly string[];
  /** Newest status of every task the agent knows. */
  readonly statuses: readonly TaskStatus[];
  /** Of the last accepted registration of this instance; empty at the first one after a join. */
  readonly previousNonce: string;
  /** On the agent's disk before this is sent; the session record has it once this is accepted (reliability 4.5). */
  readonly nextNonce: string;
  /**
   * Newest etcd revision that the agent was told: of its assignment, or of the leader under which that was made. 0: none yet, or an agent of before
   * this was told. A store that has less was restored from a backup.
   */
  readonly knownRevision: number;
  /** Of the cluster that took the last registration; empty: none did, or it was one that does not say, or an agent of before. */
  readonly clusterId: string;
}

export interface Heartbeat {
  readonly kind: 'heartbeat';
  readonly seq: number;
  /** The newest `ack.seq` received; an echo that stops rising is silence (reliability 3). */
  readonly ackEcho: number;
  /** Of the endpoint set in force in proxy and DNS. */
  readonly endpointsGeneration: number;
  readonly assignmentGeneration: number;
  /** Statuses not acknowledged yet, newest per task. */
  readonly statuses: readonly TaskStatus[];
  /** Of the assignment's `volumeRemovals`, those whose data is gone. */
  readonly removedVolumes: readonly string[];
  /** Of the same, those whose data stays, since it is newer than what was given up: with the fence of the newest task that used it. */
  readonly keptVolumes: readonly VolumeUse[];
  /** Absent from an older agent, and to a controller that does not take it. */
  readonly health?: NodeHealth;
}

/** What may change on a node while its session is open. */
export type NodeHealth = Pick<Node, 'hasDeadman' | 'networkFault' | 'listeningPorts'>;

export interface TunnelRefusal {
  readonly kind: 'tunnel-refused';
  readonly tunnelId: string;
  readonly code: string;
  readonly message: string;
}

/** The agent missed something: send a full set. */
export interface AssignmentGap {
  readonly kind: 'assignment-gap';
}

/** A change of the endpoints did not follow the set held: send it whole. */
export interface EndpointsGap {
  readonly kind: 'endpoints-gap';
}

/** Usage of the node's tasks and events of them, for NATS: the controller publishes what is about this node. It may be lost. */
export interface AgentNews {
  readonly kind: 'news';
  readonly usage: readonly UsageSample[];
  readonly events: readonly ClusterEvent[];
}

/** A message of a newer program: ignored. `tunnelId`: a tunnel that has to be refused with `reason`. */
export interface UnknownMessage {
  readonly kind: 'unknown';
  readonly tunnelId?: string;
  readonly reason?: string;
}

export type AgentMessage = Registration | Heartbeat | TunnelRefusal | AssignmentGap | EndpointsGap | AgentNews | UnknownMessage;

export interface Registered {
  readonly kind: 'registered';
  readonly sessionId: string;
  readonly subnetIndex: number;
  readonly times: { readonly heartbeatMs: number; readonly lostMs: number };
  /** Addresses of all controllers, `host:port`, to dial next time. */
  readonly controllers: readonly string[];
  /** Their join listeners, for a node whose certificate has ended; empty from an older controller. */
  readonly joinAddresses: readonly string[];
  /** Names the cluster for ever; empty from a controller of before. */
  readonly clusterId: string;
  /** Heartbeats may have a `health`. Absent from an older controller: a change of it needs a new registration. */
  readonly takesNodeHealth?: boolean;
  /** The controller publishes AgentNews. Absent from an older controller, which may end the session over it. */
  readonly takesNews?: boolean;
}

export interface HeartbeatAck {
  readonly kind: 'ack';
  readonly seq: number;
  /** Statuses that etcd holds now (or that were refused for good): the agent forgets them. */
  readonly settled: readonly { readonly task: TaskId; readonly attempt: number; readonly phase: string }[];
}

export interface OpenTunnel {
  readonly kind: 'open-tunnel';
  readonly tunnelId: string;
  readonly request: TunnelRequest;
  /** For a pull that an operator asked for: the namespace's login at the image's registry. */
  readonly login?: RegistryLogin;
}

/** Sent by a replica that may not acknowledge any more: dial another one. */
export interface GoElsewhere {
  readonly kind: 'go-elsewhere';
  readonly reason: string;
}

/**
 * There is no session for this agent until an operator acts. `PERMISSION_DENIED`: another instance with this node's certificate came
 * later; this one is to start nothing. `FAILED_PRECONDITION`: the node was removed; its tasks are to stop.
 */
export interface SessionRefusal {
  readonly kind: 'refused';
  readonly code: 'PERMISSION_DENIED' | 'FAILED_PRECONDITION';
  readonly message: string;
}

export type ControllerMessage =
  | Registered
  | HeartbeatAck
  | { readonly kind: 'assignment'; readonly assignment: Assignment }
  | { readonly kind: 'endpoints'; readonly endpoints: EndpointSet }
  | { readonly kind: 'endpoint-change'; readonly change: EndpointChange }
  | OpenTunnel
  | GoElsewhere
  | SessionRefusal
  | UnknownMessage;
