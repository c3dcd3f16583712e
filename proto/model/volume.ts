/** Named volumes: what they are called on their nodes, and the record of the node that holds the data. */
import type { VolumeSpec } from './app.ts';
import { containersOf } from './companion.ts';
import type { ContainerSet } from './companion.ts';
import { isLabel, parseNodeId } from './ids.ts';
import type { NodeId } from './ids.ts';

/**
 * `present`: the node has the data, or will once the task that it was placed with has started. `removing`: an operator gave the data up; the node
 * deletes it as soon as no task there uses it. `removed`: the data is gone; the record only says that ended tasks no longer tell where it is.
 */
export type VolumeState = 'present' | 'removing' | 'removed';

/**
 * A named volume on a node: written with the first task that is placed with it, it outlives that task, its Service and its App. One record a node:
 * where a volume was given up on one and made anew on another, both are there until the first node has deleted its data.
 */
export interface Volume {
  readonly namespace: string;
  /** As declared; the node knows it by `volumeName`. */
  readonly name: string;
  /** Of a `per_replica` volume: whose it is. */
  readonly slot?: number;
  readonly node: NodeId;
  /** App and service of the newest task that was placed with it. */
  readonly app: string;
  readonly service: string;
  /** Only global services used it: each node has its own, so it binds no task to the node. */
  readonly isPerNode: boolean;
  readonly state: VolumeState;
  /** Of the newest task that was placed with it: of several records of one volume the one with the highest fence is where its data is. */
  readonly fence: number;
  readonly createdAtMs: number;
  /** Since when no service has it; absent while one does. */
  readonly unusedSinceMs?: number;
}

/**
 * A volume of a node with the newest task that used it. To be removed: data of no newer task is meant, since a store that was restored from a backup asks
 * once more for what was removed, and made anew, after it was saved.
 */
export interface VolumeUse {
  /** As `volumeName` makes it. */
  readonly name: string;
  readonly fence: number;
}

interface VolumeUser extends ContainerSet {
  readonly namespace: string;
  readonly volumes: readonly VolumeSpec[];
}

/** A volume that a container set mounts. */
export type MountedVolume = Pick<Volume, 'namespace' | 'name' | 'slot'>;

/** `NAMESPACE/NAME`, per replica `NAMESPACE/NAME-SLOT`: what a node calls it, and its place below the node's state directory. */
export function volumeName({ namespace, name, slot }: MountedVolume): string {
  return `${namespace}/${name}${slot === undefined ? '' : `-${String(slot)}`}`;
}

/** The named volumes that the task of `slot` mounts, companions' included; each once. */
export function volumesOf(user: VolumeUser, slot: number): readonly MountedVolume[] {
  const { namespace } = user;
  const names = new Set(containersOf(user).flatMap(container => container.volumes.flatMap(mount => (mount.kind === 'volume' ? [mount.source] : []))));
  return [...names].map(name => (user.volumes.some(volume => volume.name === name && volume.perReplica) ? { namespace, name, slot } : { namespace, name }));
}

/** The same, as the node calls them. */
export function volumeNames(user: VolumeUser, slot: number): readonly string[] {
  return volumesOf(user, slot).map(volumeName);
}

/** True for what the node may call a volume of a namespace: `NAME` or `NAME-SLOT`. */
export function isVolumeName(text: string): boolean {
  return isLabel(text) || isLabel(text.replace(/-\d{1,10}$/, ''));
}

/** How a snapshot names the record: `NAMESPACE/NAME/NODE`, with what the node calls the volume. */
export function volumeId(name: string, node: NodeId): string {
  return `${name}/${node}`;
}

/** @param id  of a record, as `volumeId` makes it */
export function splitVolumeId(id: string): { readonly name: string; readonly node: NodeId } {
  const end = id.lastIndexOf('/');
  return { name: id.slice(0, end), node: parseNodeId(id.slice(end + 1)) };
}
