import { closeSync, existsSync, fstatSync, openSync } from 'node:fs';
import { chmod, chown, mkdir, readFile, readdir, realpath, rm, rmdir, statfs, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { AssignedContent } from '#model/assignment.ts';
import { ClusterError } from '#model/errors.ts';
import { isLabel } from '#model/ids.ts';
import { isBelowPrefix } from '#model/namespace.ts';
import type { Task } from '#model/task.ts';
import { isVolumeName } from '#model/volume.ts';
import { makeClosedDirectory } from '../closed-directory-fs.ts';
import { describeDisk } from '../disk-fs.ts';
import { DiskPressureError } from '../disk-pressure.ts';
import { attachMount, cloneIdmapped, detachMount, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, mountFileSystem } from '../kernel/mount-syscall.ts';
import { openWithoutLinks } from '../kernel/path-syscall.ts';
import { bytesOnDisk, holdsFiles } from '../snapshot/disk-usage-fs.ts';
import { Trash } from '../snapshot/trash-fs.ts';
import { isAllowedHostPath, planMounts } from './mount-plan.ts';
import type { MountStep } from './mount-plan.ts';
import type { FileOwner, OciMount, Volumes } from './ports.ts';
import { VolumeUserFs } from './volume-user-fs.ts';

export interface VolumeOptions {
  /** Directory of named volumes. */
  readonly stateDir: string;
  /** Directory of the files of running tasks. */
  readonly runDir: string;
  /** Directories of the node that tasks may bind; none by default. */
  readonly allowedHostPrefixes: readonly string[];
  /** Directories of the agent: neither they nor their parents may be bound. */
  readonly ownDirectories: readonly string[];
}

/** Number of ids in a user namespace. */
const ID_COUNT = 65_536;
/** Number of files from which sizes are not added up. */
const UNCOUNTED_FILES = 50_000;
const KEY = /^[a-z0-9][a-z0-9-]{0,62}$/;
/**
 * A runtime in the user namespace of the task can search the directory; no other user can list it.
 */
const PASSABLE_MODE = 0o711;
/** Limit of all secrets of a task together; each is at most 512 KiB. */
const SECRETS_OPTIONS = 'size=16m,nr_inodes=1024,mode=0711,noswap';
const SECRETS_FLAGS = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
const OLDER_KERNEL_SECRETS_OPTIONS = 'size=16m,nr_inodes=1024,mode=0711';

/** Fraction of the run directory that configs must leave free, and its maximum in bytes. */
const RESERVE_SHARE = 4;
const MAX_RESERVE_BYTES = 64 * 1024 * 1024;

/**
 * Implements volumes as directories and idmapped mounts: on disk the ids are 0 to 65535 for any
 * slot.
 */
export class DirectoryVolumes implements Volumes {
  readonly #options: VolumeOptions;
  readonly #trash: Trash;
  readonly #users: VolumeUserFs;

  constructor(options: VolumeOptions) {
    this.#options = options;
    // No namespace has such names.
    this.#trash = new Trash(path.join(this.#volumesDir(), '.removed'), String(process.pid));
    this.#users = new VolumeUserFs(path.join(this.#volumesDir(), '.users'));
  }

  async prepare(task: Task, key: string, owner: FileOwner, contents: ReadonlyMap<string, AssignedContent>): Promise<readonly OciMount[]> {
    await this.remove(key);
    const steps = planMounts(task, owner.user);
    if (steps.length === 0) return [];
    try {
      await this.#requireRoom(steps, contents);
      await this.#makeDirectories(key, steps, owner.hostBase);
      const mounts: OciMount[] = [];
      for (const step of steps) {
        if (step.kind === 'volume') await this.#users.note(step.volume, task.fence);
        mounts.push(await this.#prepareStep(key, step, owner, contents));
      }
      return mounts;
    } catch (error) {
      await this.remove(key);
      throw error;
    }
  }

  async remove(key: string): Promise<void> {
    const directory = this.#directory(key);
    if (!existsSync(directory)) return;
    for (const mounted of (await mountsBelow(directory)).reverse()) {
      await detachMount(mounted);
    }
    // Never recursive where a volume was mounted: after a failed unmount it would delete the data.
    const volumesDir = path.join(directory, 'volumes');
    for (const entry of await readdir(volumesDir, { withFileTypes: true }).catch(() => [])) {
      const mountPoint = path.join(volumesDir, entry.name);
      await (entry.isDirectory() ? rmdir(mountPoint) : unlink(mountPoint));
    }
    await rm(directory, { recursive: true, force: true });
  }

  async list(): Promise<readonly string[]> {
    return (await readdir(this.#tasksDir()).catch(() => [])).sort();
  }

  async removeData(volume: string): Promise<void> {
    const directory = this.#volumeDirectory(volume);
    // Rename first, then check for mounts: there may be gigabytes inside.
    await this.#trash.empty();
    const [mounted] = await mountsBelow(directory);
    if (mounted !== undefined) {
      throw new ClusterError('FAILED_PRECONDITION', `volume ${volume} is not deleted while a file system is mounted at ${mounted}; unmount it`);
    }
    await this.#trash.discard(directory);
    await this.#trash.settled();
    await this.#users.forget(volume);
  }

  async newestUser(volume: string): Promise<number | undefined> {
    this.#volumeDirectory(volume);
    return await this.#users.newest(volume);
  }

  async dataBytes(volume: string): Promise<number | undefined> {
    const directory = this.#volumeDirectory(volume);
    return await holdsFiles(directory, UNCOUNTED_FILES) ? undefined : await bytesOnDisk(directory);
  }

  async recall(task: Task, key: string): Promise<readonly AssignedContent[]> {
    const recalled: AssignedContent[] = [];
    for (const step of planMounts(task, undefined)) {
      if (step.kind === 'file' && step.isSecret) {
        const content = await readFile(path.join(this.#directory(key), step.name)).catch(() => undefined);
        recalled.push(...(content === undefined ? [] : [{ key: step.contentKey, content }]));
      }
    }
    return recalled;
  }

  /**
   * Configs are in memory beside the records of the agent, and must not use the last of it. @throws
   * DiskPressureError
   */
  async #requireRoom(steps: readonly MountStep[], contents: ReadonlyMap<string, AssignedContent>): Promise<void> {
    const bytes = steps.reduce((sum, step) => sum + (step.kind === 'file' && !step.isSecret ? contents.get(step.contentKey)?.content.length ?? 0 : 0), 0);
    if (bytes === 0) return;
    await mkdir(this.#tasksDir(), { recursive: true, mode: PASSABLE_MODE });
    const { blocks, bavail, bsize } = await statfs(this.#tasksDir());
    const reserve = Math.min(MAX_RESERVE_BYTES, (blocks * bsize) / RESERVE_SHARE);
    if (bavail * bsize - bytes < reserve) {
      throw new DiskPressureError(await describeDisk(`no room for ${String(bytes)} bytes of configs beside the ${String(Math.ceil(reserve))} kept for the agent`, this.#tasksDir()));
    }
  }

  async #makeDirectories(key: string, steps: readonly MountStep[], hostBase: number): Promise<void> {
    const directory = this.#directory(key);
    await mkdir(this.#tasksDir(), { recursive: true, mode: PASSABLE_MODE });
    await makeClosedDirectory(directory, hostBase);
    await mkdir(path.join(directory, 'configs'), { mode: PASSABLE_MODE });
    await mkdir(path.join(directory, 'secrets'), { mode: PASSABLE_MODE });
    await mkdir(path.join(directory, 'volumes'), { mode: PASSABLE_MODE });
    if (steps.some(step => step.kind === 'file' && step.isSecret)) {
      mountSecrets(path.join(directory, 'secrets'));
    }
  }

  async #prepareStep(key: string, step: MountStep, owner: FileOwner, contents: ReadonlyMap<string, AssignedContent>): Promise<OciMount> {
    switch (step.kind) {
      case 'tmpfs': return { destination: step.target, type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev', 'mode=1777', `size=${String(step.sizeBytes)}`] };
      case 'bind': {
        const mountPoint = path.join(this.#directory(key), step.name);
        await this.#mountHostPath(step.hostPath, mountPoint, owner.userNamespacePath);
        return bindMount(step.target, mountPoint, step.readOnly);
      }
      case 'file': {
        const file = path.join(this.#directory(key), step.name);
        await writeOwned(file, step, owner.hostBase, requireContent(contents, step.contentKey));
        return bindMount(step.target, file, true, step.isSecret ? ['noexec'] : []);
      }
      case 'volume': {
        const mountPoint = path.join(this.#directory(key), step.name);
        await mkdir(mountPoint, { mode: PASSABLE_MODE });
        await this.#mountVolume(step.volume, mountPoint, owner.userNamespacePath);
        return bindMount(step.target, mountPoint, step.readOnly);
      }
    }
  }

  /**
   * Creates the directory of the volume at its first use. Its parents are closed: a file of the
   * root of the container would otherwise be accessible to other users of the host.
   */
  async #mountVolume(volume: string, mountPoint: string, userNamespacePath: string | undefined): Promise<void> {
    const source = this.#volumeDirectory(volume);
    await mkdir(this.#volumesDir(), { recursive: true, mode: 0o700 });
    await mkdir(source, { recursive: true, mode: 0o755 });
    mountMapped({ source, what: `volume ${volume}`, mountPoint, userNamespacePath });
  }

  /**
   * Mounts the target of the path by descriptor, so that a later change of the path has no effect.
   * Ids inside are ids on the machine, as in a volume: a node that allows a bind trusts those users
   * with files of its root there.
   */
  async #mountHostPath(hostPath: string, mountPoint: string, userNamespacePath: string | undefined): Promise<void> {
    const real = await this.#hostPath(hostPath);
    const fd = openWithoutLinks(real);
    try {
      const facts = fstatSync(fd);
      if (facts.isDirectory()) {
        await mkdir(mountPoint, { mode: PASSABLE_MODE });
      } else if (facts.isFile() || facts.isSocket()) {
        await writeFile(mountPoint, '', { mode: 0o600 });
      } else {
        throw new ClusterError('FAILED_PRECONDITION', `host path ${hostPath} is neither a directory nor a file; name device nodes under devices`);
      }
      mountMapped({ source: `/proc/self/fd/${String(fd)}`, what: `host path ${hostPath}`, mountPoint, userNamespacePath });
    } finally {
      closeSync(fd);
    }
  }

  /** Resolves links; a link out of the allowed directories is refused like a path outside. */
  async #hostPath(hostPath: string): Promise<string> {
    const real = await realpath(hostPath).catch(() => undefined);
    if (real === undefined) {
      throw new ClusterError('FAILED_PRECONDITION', `host path ${hostPath} is not on this node`);
    }
    if (!isAllowedHostPath(real, this.#options.allowedHostPrefixes)) {
      throw new ClusterError('PERMISSION_DENIED', `host path ${hostPath} is not one that this node lets tasks bind`);
    }
    const own = this.#options.ownDirectories.find(directory => isBelowPrefix(real, [directory]) || isBelowPrefix(directory, [real]));
    if (own !== undefined) {
      throw new ClusterError('PERMISSION_DENIED', `host path ${hostPath} would show the agent's own directory ${own}`);
    }
    return real;
  }

  #volumesDir(): string {
    return path.join(this.#options.stateDir, 'volumes');
  }

  #volumeDirectory(volume: string): string {
    const [namespace = '', name = '', ...rest] = volume.split('/');
    if (!isLabel(namespace) || !isVolumeName(name) || rest.length > 0) {
      throw new RangeError(`volume ${JSON.stringify(volume)} is not NAMESPACE/NAME`);
    }
    return path.join(this.#volumesDir(), namespace, name);
  }

  #tasksDir(): string {
    return path.join(this.#options.runDir, 'volumes');
  }

  #directory(key: string): string {
    if (!KEY.test(key)) {
      throw new RangeError(`task key ${JSON.stringify(key)} is not ${KEY.source}`);
    }
    return path.join(this.#tasksDir(), key);
  }
}

/**
 * Attaches a clone of `source` at `mountPoint`, nosuid and nodev. @throws ClusterError
 * FAILED_PRECONDITION
 */
function mountMapped(step: { readonly source: string; readonly what: string; readonly mountPoint: string; readonly userNamespacePath: string | undefined }): void {
  const userNamespace = step.userNamespacePath === undefined ? undefined : openSync(step.userNamespacePath, 'r');
  try {
    const mount = cloneIdmapped(step.source, userNamespace, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    try {
      attachMount(mount, step.mountPoint);
    } finally {
      closeSync(mount);
    }
  } catch (error) {
    throw new ClusterError('FAILED_PRECONDITION', `${step.what} cannot be mounted: its file system has to allow idmapped mounts`, { cause: error });
  } finally {
    if (userNamespace !== undefined) {
      closeSync(userNamespace);
    }
  }
}

/**
 * Mounts a tmpfs for secrets, which never reach a disk: not swapped if the kernel supports it.
 * Source: tmpfs(5), "noswap" (since Linux 6.4)
 */
function mountSecrets(target: string): void {
  try {
    mountFileSystem('tmpfs', 'gantry-secrets', target, { options: SECRETS_OPTIONS, flags: SECRETS_FLAGS });
  } catch {
    // EINVAL of an older kernel; any other error fails again here.
    mountFileSystem('tmpfs', 'gantry-secrets', target, { options: OLDER_KERNEL_SECRETS_OPTIONS, flags: SECRETS_FLAGS });
  }
}

/**
 * Creates the file without permissions and then changes its owner: no other user can read it at any
 * moment.
 */
async function writeOwned(file: string, step: Extract<MountStep, { kind: 'file' }>, hostBase: number, content: Uint8Array): Promise<void> {
  const { uid, gid } = step.owner;
  if (uid >= ID_COUNT || gid >= ID_COUNT) {
    throw new ClusterError('FAILED_PRECONDITION', `owner ${String(uid)}:${String(gid)} of ${step.target} is not in the task's 65536 ids`);
  }
  await writeFile(file, content, { mode: 0o600, flag: 'wx' });
  await chown(file, hostBase + uid, hostBase + gid);
  await chmod(file, step.mode);
}

function requireContent(contents: ReadonlyMap<string, AssignedContent>, key: string): Uint8Array {
  const entry = contents.get(key);
  if (entry === undefined) {
    throw new ClusterError('UNAVAILABLE', `content ${key} was not sent to this node yet`);
  }
  return entry.content;
}

function bindMount(destination: string, source: string, isReadOnly: boolean, more: readonly string[] = []): OciMount {
  return { destination, type: 'bind', source, options: ['bind', 'rprivate', 'nosuid', 'nodev', ...more, isReadOnly ? 'ro' : 'rw'] };
}

/**
 * Returns the mount points below `directory`, outer ones first. Source: proc_pid_mountinfo(5),
 * field 5; octal escapes for white space
 */
async function mountsBelow(directory: string): Promise<string[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  return table.split('\n')
    .map(line => (line.split(' ')[4] ?? '').replaceAll(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))))
    .filter(mountPoint => mountPoint.startsWith(`${directory}/`));
}
