/**
 * One instance of a Service on one Node. A Task never moves; it is replaced.
 *
 * `Task` is desired and written by the leader; `TaskStatus` is observed and written, forward only, by the node's agent.
 */
import type { ContentPins, VolumeSpec } from './app.ts';
import type { NodeId, ServiceId, TaskId } from './ids.ts';
import type { TaskResources } from './resources.ts';
import type { CompanionSpec, ContainerSpec, ServiceKind } from './service.ts';

/** Indices of units of one named device, ascending; a unit's index is its place among those that its node declares. */
export interface DeviceUnits {
  readonly name: string;
  readonly units: readonly number[];
}

export interface Task {
  readonly id: TaskId;
  readonly name: string;
  readonly namespace: string;
  readonly app: string;
  readonly service: string;
  readonly serviceId: ServiceId;
  readonly kind: ServiceKind;
  readonly slot: number;
  readonly node: NodeId;
  /** Number of the App's Revision it was made for. */
  readonly revision: number;
  readonly templateHash: string;
  readonly container: ContainerSpec;
  /** As in the service. */
  readonly companions?: readonly CompanionSpec[];
  readonly pins: ContentPins;
  /** Declarations of the volumes that `container.volumes` names. */
  readonly volumes: readonly VolumeSpec[];
  /** `stop`: out of the endpoints first, then stopped; the record goes when the agent reports the end or the node is gone for good. */
  readonly desired: 'run' | 'stop';
  /** Why it was made, or why it is to stop: `scale-up`, `rollout`, `node-lost`, ... */
  readonly reason: string;
  /** Rises with every replacement of this slot. */
  readonly fence: number;
  /** Cut off for so long, counted from the sending of the last heartbeat that was acknowledged, its node stops it; absent: never. */
  readonly stopAfterMs?: number;
  /** An attempt that runs longer is ended, which is a failure. Only for `job`; absent: no limit. */
  readonly timeoutMs?: number;
  /** The units that the scheduler chose for `container.deviceRequests`, by name; absent: it asks for none, or the agent chooses. */
  readonly deviceUnits?: readonly DeviceUnits[];
  /** Wished by an operator: its processes stand still, and nothing of it is probed or begun. */
  readonly isPaused: boolean;
  /** `resourcesKey` of its service when it was made or last resized; `container` may have others since (`update task/ID`). */
  readonly resourcesKey: string;
  readonly createdAtMs: number;
  /** Wished by an operator: its slot is to go on at this node. */
  readonly moveTo?: NodeId;
  /** Values of a newer program in it, not on the wire; absent: none. Its service is left as it is, and it is not started. */
  readonly notUnderstood?: readonly string[];
}

/** In the order an attempt goes through them; see `phaseOrder`. */
export const PHASES = [
  'pending', 'assigned', 'pulling', 'preparing', 'starting', 'running', 'stopping', 'complete', 'failed',
] as const;
export type Phase = (typeof PHASES)[number];
/** What a person is shown: a Phase; `lost`, derived from the Node when read; `paused`, running and frozen. */
export type TaskState = Phase | 'lost' | 'paused';

export type Health = 'none' | 'starting' | 'healthy' | 'unhealthy';

/** How one attempt ended. */
export interface TaskExit {
  readonly attempt: number;
  /** 128 + signal when killed by one; null where nobody could see it. */
  readonly code: number | null;
  /** `exited`, `signal:KILL`, `OOMKilled`, `exit-unknown`, `unhealthy`, `start-failed`, `stopped`, ... */
  readonly reason: string;
  readonly finishedAtMs: number;
  /** The kernel killed others of its processes than the first one for memory; absent: none. */
  readonly hadChildOom?: boolean;
}

/** One companion in the task's newest attempt. */
export interface CompanionStatus {
  readonly name: string;
  readonly state: 'waiting' | 'running' | 'ended';
  /** Of this attempt. */
  readonly restarts: number;
  readonly pid?: number;
  /** How it ended last; `attempt` is that of the task. */
  readonly lastExit?: TaskExit;
}

export interface TaskStatus {
  readonly id: TaskId;
  readonly node: NodeId;
  /** From 1; 0 before the first. */
  readonly attempt: number;
  readonly phase: Phase;
  readonly health: Health;
  /** One word for machines: `ImagePullFailed`, `crash-loop`, ... empty when all is well. */
  readonly reason: string;
  /** One line for a person; control characters escaped. */
  readonly message: string;
  /** IPv4 address of the task, once it has a network slot. */
  readonly address?: string;
  readonly pid?: number;
  readonly startedAtMs?: number;
  readonly finishedAtMs?: number;
  readonly restarts: number;
  readonly lastExit?: TaskExit;
  /** In the order of the task's companions; absent: none. */
  readonly companions?: readonly CompanionStatus[];
  /** Its processes are frozen. */
  readonly isPaused: boolean;
  /** In force in the running attempt; other than the task's until a change of them was carried out. */
  readonly resources?: TaskResources;
}

/** Reason of a running task whose new resources its node does not take; the old ones stay in force. */
export const RESIZE_REFUSED = 'ResizeRefused';

/** (attempt, phase) never goes back; compare these first and second. */
export function phaseOrder(phase: Phase): number {
  return PHASES.indexOf(phase);
}

/** True when `next` may follow `previous`: a later attempt, or the same one with the same or a later phase. */
export function isForward(previous: TaskStatus, next: TaskStatus): boolean {
  if (next.attempt !== previous.attempt) {
    return next.attempt > previous.attempt;
  }
  return phaseOrder(next.phase) >= phaseOrder(previous.phase);
}

/** True when nothing of the task will run again. */
export function isFinished(phase: Phase): boolean {
  return phase === 'complete' || phase === 'failed';
}

/** True when requests may be sent to it: running, not paused, and healthy where it has a health check. */
export function isServing(status: TaskStatus): boolean {
  return status.phase === 'running' && !status.isPaused && (status.health === 'healthy' || status.health === 'none');
}
