import { mkdir, readdir, rm, statfs, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import path from 'node:path';
import type { ChildProcess } from 'node:child_process';
import { requireCommand, runCommand, startProcess, TOOL_PATH } from '#kit/command-process.ts';

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

/**
 * Makes a user namespace and a network namespace that belongs to it, and binds both to files.
 *
 * A holder process makes them, since a program with threads cannot unshare a user namespace; it ends when its stdin does, so a dead
 * agent leaves none. Source: user_namespaces(7), "ownership of other namespaces"; unshare(2), EINVAL for threads.
 */
export async function createNamespaces(paths: SlotPaths, hostBase: number, idCount: number): Promise<void> {
  await mkdir(paths.directory, { recursive: true });
  await writeFile(paths.userNamespacePath, '');
  await writeFile(paths.networkNamespacePath, '');
  const holder = startProcess('unshare', ['--user', '--net', 'cat'], { stdio: ['pipe', 'pipe', 'ignore'], env: { PATH: TOOL_PATH } });
  try {
    const pid = await awaitEcho(holder);
    const map = `0 ${String(hostBase)} ${String(idCount)}`;
    await writeFile(`/proc/${String(pid)}/uid_map`, map);
    await writeFile(`/proc/${String(pid)}/gid_map`, map);
    await requireCommand('mount', ['--bind', `/proc/${String(pid)}/ns/user`, paths.userNamespacePath]);
    await requireCommand('mount', ['--bind', `/proc/${String(pid)}/ns/net`, paths.networkNamespacePath]);
  } finally {
    await endHolder(holder);
  }
}

/** The holder's pid, once `cat` answers: then the namespaces were made before it. */
async function awaitEcho(holder: ChildProcess): Promise<number> {
  const { pid, stdin, stdout } = holder;
  const failed = once(holder, 'exit').then(([code]) => { throw new Error(`unshare --user --net: exit ${String(code)}`); });
  failed.catch(() => undefined);
  stdin?.on('error', () => { /* it ended; the exit above tells */ });
  stdin?.write('\n');
  if (pid === undefined || stdout === null) {
    await failed;
    throw new Error('unshare --user --net: no process');
  }
  await Promise.race([once(stdout, 'data', { signal: AbortSignal.timeout(HOLDER_TIMEOUT_MS) }), failed]);
  return pid;
}

async function endHolder(holder: ChildProcess): Promise<void> {
  if (holder.pid === undefined || holder.exitCode !== null || holder.signalCode !== null) {
    return;
  }
  const ended = once(holder, 'exit');
  holder.kill('SIGKILL');
  await ended;
}

/** True when both files name a namespace; after a boot, or a crash half-way, they are plain files or absent. */
export async function areNamespacesBound(paths: SlotPaths): Promise<boolean> {
  const types = await Promise.all([paths.userNamespacePath, paths.networkNamespacePath].map(file => statfs(file).then(({ type }) => type, () => 0)));
  return types.every(type => type === NSFS_MAGIC);
}

/** Unbinds both namespaces and removes the directory; what is not there is fine. */
export async function removeNamespaces(paths: SlotPaths): Promise<void> {
  for (const file of [paths.networkNamespacePath, paths.userNamespacePath]) {
    await unmountAll(file);
  }
  await rm(paths.directory, { recursive: true, force: true });
}

/** Slots that have a directory. */
export async function listSlotIds(slotsDir: string): Promise<readonly string[]> {
  await mkdir(slotsDir, { recursive: true, mode: 0o700 });
  return (await readdir(slotsDir)).sort();
}

async function unmountAll(file: string): Promise<void> {
  const outcome = await runCommand('umount', ['--lazy', file]);
  if (outcome.exitCode !== 0 && !/not mounted|no mount point|not found|No such file/i.test(outcome.stderr)) {
    throw new Error(`umount ${file}: ${outcome.stderr.trim()}`);
  }
}
