import path from 'node:path';
import { configContentKey, secretContentKey } from '#model/assignment.ts';
import { ClusterError } from '#model/errors.ts';
import { isLabel } from '#model/ids.ts';
import { isBelowPrefix } from '#model/namespace.ts';
import type { FileMount, VolumeMount } from '#model/service.ts';
import type { Task } from '#model/task.ts';
import { volumeName } from '#model/volume.ts';

/** Step that must be done before the mounts. `name` is relative to the directory of the task. */
export type MountStep =
  | { readonly kind: 'volume'; readonly name: string; readonly volume: string; readonly target: string; readonly readOnly: boolean }
  | { readonly kind: 'file'; readonly name: string; readonly isSecret: boolean; readonly contentKey: string; readonly target: string; readonly mode: number; readonly owner: Owner }
  | { readonly kind: 'bind'; readonly name: string; readonly hostPath: string; readonly target: string; readonly readOnly: boolean }
  | { readonly kind: 'tmpfs'; readonly target: string; readonly sizeBytes: number };

/** Ids inside the container. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Returns the mounts of a task in the order that its container needs: a target inside another one
 * comes after it.
 * @param user  user of the container, if known
 * @throws ClusterError FAILED_PRECONDITION for a source that the task does not declare
 */
export function planMounts(task: Task, user: Owner | undefined): readonly MountStep[] {
  const owner = user ?? numericUser(task.container.security.user);
  const steps: readonly MountStep[] = [
    ...task.container.volumes.map((mount, index) => volumeStep(task, mount, index)),
    ...task.container.configs.map((mount, index) => fileStep(mount, { name: `configs/${String(index)}`, isSecret: false, contentKey: configKey(task, mount), owner: { uid: 0, gid: 0 } })),
    ...task.container.secrets.map((mount, index) => fileStep(mount, { name: `secrets/${String(index)}`, isSecret: true, contentKey: secretKey(task, mount), owner })),
  ];
  return steps.toSorted((left, right) => depth(left.target) - depth(right.target));
}

/**
 * Returns true if `hostPath` is one of the allowed directories of the node, or inside one. Both are
 * absolute and without links.
 */
export function isAllowedHostPath(hostPath: string, allowedPrefixes: readonly string[]): boolean {
  return path.isAbsolute(hostPath) && path.normalize(hostPath) === hostPath && isBelowPrefix(hostPath, allowedPrefixes);
}

function depth(target: string): number {
  return target.split('/').filter(part => part !== '').length;
}

function numericUser(user: string | undefined): Owner {
  const match = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(user ?? '');
  return { uid: Number(match?.[1] ?? 0), gid: Number(match?.[2] ?? 0) };
}

function volumeStep(task: Task, mount: VolumeMount, index: number): MountStep {
  if (mount.kind === 'tmpfs') {
    return mount;
  }
  const name = `volumes/${String(index)}`;
  if (mount.kind === 'bind') {
    return { ...mount, name };
  }
  const declared = task.volumes.find(volume => volume.name === mount.source);
  if (declared === undefined || !isLabel(mount.source) || !isLabel(task.namespace)) {
    throw new ClusterError('FAILED_PRECONDITION', `volume ${JSON.stringify(mount.source)} of ${task.name} is not declared`);
  }
  const volume = volumeName({ namespace: task.namespace, name: declared.name, ...(declared.perReplica ? { slot: task.slot } : {}) });
  return { kind: 'volume', name, volume, target: mount.target, readOnly: mount.readOnly };
}

function fileStep(mount: FileMount, what: { readonly name: string; readonly isSecret: boolean; readonly contentKey: string; readonly owner: Owner }): MountStep {
  const owner = { uid: mount.uid ?? what.owner.uid, gid: mount.gid ?? what.owner.gid };
  return { kind: 'file', name: what.name, isSecret: what.isSecret, contentKey: what.contentKey, target: mount.target, mode: mount.mode, owner };
}

function configKey(task: Task, mount: FileMount): string {
  const pin = task.pins.configs.find(config => config.name === mount.source);
  if (pin === undefined) {
    throw new ClusterError('FAILED_PRECONDITION', `config ${JSON.stringify(mount.source)} of ${task.name} is not pinned`);
  }
  return configContentKey(pin.sha256);
}

function secretKey(task: Task, mount: FileMount): string {
  const pin = task.pins.secrets.find(secret => secret.name === mount.source);
  if (pin === undefined) {
    throw new ClusterError('FAILED_PRECONDITION', `secret ${JSON.stringify(mount.source)} of ${task.name} is not pinned`);
  }
  return secretContentKey(task.namespace, pin.name, pin.version);
}
