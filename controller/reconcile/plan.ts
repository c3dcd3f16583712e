/**
 * What a reconciler decided, as data a person can read in a log. `apply-flow.ts` makes one fenced transaction of it (or several,
 * when it is too big for one; each whole in itself).
 */
import type { Service, ServiceStatus } from '#model/app.ts';
import type { AppId, NodeId, ServiceId, TaskId } from '#model/ids.ts';
import type { Node } from '#model/node.ts';
import type { Task } from '#model/task.ts';
import type { Volume } from '#model/volume.ts';

export type Action =
  /** A Task is born with its node, and with the records of its volumes there. The transaction rewrites the node's ledger and compares it. */
  | { readonly kind: 'create-task'; readonly task: Task; readonly volumes?: readonly Volume[]; readonly reason: string }
  /** Sets desired to `stop`. */
  | { readonly kind: 'stop-task'; readonly taskId: TaskId; readonly reason: string }
  /** Changes what a task that runs is held to, in place; the ledger of its node goes with it. */
  | { readonly kind: 'resize-task'; readonly task: Task; readonly reason: string }
  /** Takes back the wish that the task goes on elsewhere. */
  | { readonly kind: 'cancel-move'; readonly taskId: TaskId; readonly reason: string }
  /** Deletes the task's records. */
  | { readonly kind: 'remove-task'; readonly taskId: TaskId; readonly reason: string }
  | { readonly kind: 'put-volume' | 'remove-volume'; readonly volume: Volume; readonly reason: string }
  | { readonly kind: 'set-service-status'; readonly status: ServiceStatus }
  /** Puts the previous Revision's spec back in force. */
  | { readonly kind: 'rollback-service'; readonly service: Service; readonly reason: string }
  /** Marks the App and all its Services as being deleted. */
  | { readonly kind: 'delete-app'; readonly appId: AppId; readonly reason: string }
  /** A run of a cron. */
  | { readonly kind: 'create-service'; readonly service: Service; readonly reason: string }
  /** Marks the Service as being deleted. */
  | { readonly kind: 'delete-service'; readonly serviceId: ServiceId; readonly reason: string }
  | { readonly kind: 'remove-service'; readonly serviceId: ServiceId; readonly reason: string }
  | { readonly kind: 'remove-app'; readonly appId: AppId; readonly reason: string }
  | { readonly kind: 'set-node-condition'; readonly node: NodeId; readonly condition: Node['condition']; readonly reason: string }
  /** Writes or removes the record of an open mass breaker. */
  | { readonly kind: 'set-mass-breaker'; readonly isOpen: boolean; readonly reason: string };

/** About the record of one Service. */
export type ServiceAction = Extract<Action, { readonly kind: 'rollback-service' | 'create-service' | 'delete-service' | 'remove-service' }>;

/** About the record of one Task. */
export type TaskAction = Extract<Action, { readonly kind: 'create-task' | 'stop-task' | 'resize-task' | 'cancel-move' | 'remove-task' }>;

const TASK_KINDS: ReadonlySet<string> = new Set(['create-task', 'stop-task', 'resize-task', 'cancel-move', 'remove-task'] satisfies readonly TaskAction['kind'][]);

export function isTaskAction(action: Action): action is TaskAction {
  return TASK_KINDS.has(action.kind);
}

export function isServiceAction(action: Action): action is ServiceAction {
  return action.kind === 'rollback-service' || action.kind === 'create-service' || action.kind === 'delete-service' || action.kind === 'remove-service';
}

/** Told to people (etcd events, NATS), not decided on. */
export interface PlannedEvent {
  readonly type: 'normal' | 'warning';
  readonly object: string;
  readonly reason: string;
  readonly message: string;
}

export interface Plan {
  readonly actions: readonly Action[];
  readonly events: readonly PlannedEvent[];
  /** Look again at this time (Unix ms) even if nothing changes. */
  readonly wakeAtMs?: number;
}

export const EMPTY_PLAN: Plan = { actions: [], events: [] };
