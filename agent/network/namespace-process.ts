import { closeSync, mkdirSync, openSync, readdirSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { once } from 'node:events';
import { Socket } from 'node:net';
import path from 'node:path';
import { finished } from 'node:stream/promises';
import { allEnded } from '#kit/all-ended.ts';
import { TOOL_PATH } from '#kit/command-process.ts';
import { bindMount, detachMount } from '../kernel/mount-syscall.ts';
import { makePipe, reapProcess, spawnProcess } from '../kernel/spawn-syscall.ts';
import type { ChildFile } from '../kernel/spawn-syscall.ts';

/** Files that name a slot's two namespaces. */
export interface SlotPaths {
  readonly directory: string;
  readonly userNamespacePath: string;
  readonly networkNamespacePath: string;
}

export function slotPaths(slotsDir: string, id: string): SlotPaths {
  const directory = path.join(slotsDir, id);
  return { directory, userNamespacePath: path.join(directory, 'user'), networkNamespacePath: path.join(directory, 'net') };
}

/** File system type of namespace files. Source: NSFS_MAGIC in linux/magic.h. */
const NSFS_MAGIC = 0x6e736673;

/** How long a holder may take to say that its namespaces are there. */
const HOLDER_TIMEOUT_MS = 10_000;
const UNSHARE = '/usr/bin/unshare';
/**
 * Of one task, with all of its containers. The kernel charges them to root too, whose own limits the agent raises: else the first hungry task would
 * take what all others and the agent need. Source: user_namespaces(7); proc_sys_user(5), "the limits of the parent apply too"
 */
const INOTIFY_LIMITS = { instances: 128, watches: 131_072 };
/** A kernel without the limits makes a slot all the same. */
const HOLDER = `echo ${String(INOTIFY_LIMITS.instances)} >/proc/sys/user/max_inotify_instances; echo ${String(INOTIFY_LIMITS.watches)} >/proc/sys/user/max_inotify_watches; exec cat`;

/** The two namespaces of a slot by descriptor: they last as long as it is open, or something else has them. */
export interface HeldNamespaces {
  readonly userFd: number;
  readonly networkFd: number;
}

/**
 * Makes a user namespace and a network namespace that belongs to it, and the files that they may be bound to.
 *
 * A holder process makes them, since a program with threads cannot unshare a user namespace; it ends when its stdin does, so a dead
 * agent leaves none. Its files are in memory, so they are written at once. Source: user_namespaces(7), "ownership of other namespaces"; unshare(2), EINVAL for threads.
 */
export async function createNamespaces(paths: SlotPaths, hostBase: number, idCount: number): Promise<HeldNamespaces> {
  mkdirSync(paths.directory, { recursive: true });
  writeFileSync(paths.userNamespacePath, '');
  writeFileSync(paths.networkNamespacePath, '');
  const holder = await startHolder();
  let held: HeldNamespaces | undefined;
  try {
    await holder.ready();
    const holderDir = `/proc/${String(holder.pid)}`;
    const map = `0 ${String(hostBase)} ${String(idCount)}`;
    writeFileSync(`${holderDir}/uid_map`, map);
    writeFileSync(`${holderDir}/gid_map`, map);
    held = openBoth(`${holderDir}/ns`);
  } finally {
    await holder.end().catch((error: unknown) => {
      if (held !== undefined) closeNamespaces(held);
      throw error;
    });
  }
  return held;
}

function openBoth(directory: string): HeldNamespaces {
  const userFd = openSync(`${directory}/user`, 'r');
  try {
    return { userFd, networkFd: openSync(`${directory}/net`, 'r') };
  } catch (error) {
    closeSync(userFd);
    throw error;
  }
}

/** Binds both to their files: from now on they outlast this process. Each bound file is a mount that every container's start copies, so only slots in use are. */
export function bindNamespaces(paths: SlotPaths, held: HeldNamespaces): void {
  bindMount(descriptorPath(held.userFd), paths.userNamespacePath);
  bindMount(descriptorPath(held.networkFd), paths.networkNamespacePath);
}

export function closeNamespaces(held: HeldNamespaces): void {
  closeSync(held.userFd);
  closeSync(held.networkFd);
}

export function descriptorPath(fd: number): string {
  return `/proc/self/fd/${String(fd)}`;
}

interface Holder {
  readonly pid: number;
  /** Resolves once its program answers: then the namespaces were made before it. */
  readonly ready: () => Promise<void>;
  readonly end: () => Promise<void>;
}

async function startHolder(): Promise<Holder> {
  using forChild = new DisposableStack();
  using ours = new DisposableStack();
  const input = makePipe();
  forChild.defer(() => { closeSync(input.readFd); });
  ours.defer(() => { closeSync(input.writeFd); });
  const output = makePipe();
  forChild.defer(() => { closeSync(output.writeFd); });
  ours.defer(() => { closeSync(output.readFd); });
  const pid = await spawnProcess({
    program: UNSHARE, args: ['--user', '--net', '--keep-caps', 'sh', '-c', HOLDER], environment: { PATH: TOOL_PATH },
    files: new Map<number, ChildFile>([[0, { fd: input.readFd }], [1, { fd: output.writeFd }], [2, { path: '/dev/null' }]]),
  });
  ours.move();
  const answers = new Socket({ fd: output.readFd, readable: true, writable: false });
  return {
    pid,
    ready: async () => {
      writeSync(input.writeFd, '\n');
      const signal = AbortSignal.timeout(HOLDER_TIMEOUT_MS);
      const isThere = await Promise.race([once(answers, 'data', { signal }).then(() => true), once(answers, 'end', { signal }).then(() => false)]);
      if (!isThere) {
        throw new Error('unshare --user --net ended: this kernel makes no user namespaces');
      }
    },
    end: async () => {
      closeSync(input.writeFd);
      process.kill(pid, 'SIGKILL');
      await finished(answers.resume(), { writable: false }).catch(() => { /* closed all the same */ });
      reapProcess(pid);
    },
  };
}

/** True when both files name a namespace; after a boot, or a crash half-way, they are plain files or absent. */
export async function areNamespacesBound(paths: SlotPaths): Promise<boolean> {
  const types = await Promise.all([paths.userNamespacePath, paths.networkNamespacePath].map(file => statfs(file).then(({ type }) => type, () => 0)));
  return types.every(type => type === NSFS_MAGIC);
}

/** Unbinds both namespaces and removes the directory; what is not there is fine. */
export async function removeNamespaces(paths: SlotPaths): Promise<void> {
  await allEnded([detachMount(paths.networkNamespacePath), detachMount(paths.userNamespacePath)]);
  rmSync(paths.directory, { recursive: true, force: true });
}

/** Slots that have a directory. */
export function listSlotIds(slotsDir: string): readonly string[] {
  mkdirSync(slotsDir, { recursive: true, mode: 0o700 });
  return readdirSync(slotsDir).sort();
}
