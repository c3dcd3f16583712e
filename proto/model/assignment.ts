/** The set of Tasks a node must run, whole or as a delta. */
import type { TaskId } from './ids.ts';
import type { Task } from './task.ts';
import type { VolumeUse } from './volume.ts';

/** Plain content for files of tasks: configs by SHA-256 hex, secrets by `namespace/name/version`. */
export interface AssignedContent {
  readonly key: string;
  readonly content: Uint8Array;
}

/** `epoch` is the leader key's create revision, `generation` the etcd revision: the pair only rises (reliability 4.4). */
export interface FullAssignment {
  readonly kind: 'full';
  readonly epoch: number;
  readonly generation: number;
  /** Sorted by id. */
  readonly tasks: readonly Task[];
  readonly contents: readonly AssignedContent[];
  /** All volumes whose data the node is to delete once no task there uses them, by name. */
  readonly volumeRemovals: readonly VolumeUse[];
  /** Tasks whose records cannot be read now: the node keeps those that it has as they are. */
  readonly keptTasks?: readonly TaskId[];
}

/** Follows `from` exactly; a gap asks for a full set. */
export interface AssignmentDelta {
  readonly kind: 'delta';
  readonly epoch: number;
  readonly from: number;
  readonly generation: number;
  readonly upserts: readonly Task[];
  readonly removals: readonly TaskId[];
  /** Contents that the upserts need and the node was not sent yet. */
  readonly contents: readonly AssignedContent[];
  /** As in a full set: all of them. */
  readonly volumeRemovals: readonly VolumeUse[];
}

export type Assignment = FullAssignment | AssignmentDelta;

/** Key of a config's content. */
export function configContentKey(sha256: string): string {
  return `config/${sha256}`;
}

/** Key of a secret's content. */
export function secretContentKey(namespace: string, name: string, version: number): string {
  return `secret/${namespace}/${name}/${String(version)}`;
}
