import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { posix } from 'node:path';
import { isBelowPrefix } from '#model/namespace.ts';
import { openInRoot, PathError } from '../kernel/path-syscall.ts';
import { interpreterOf, missingInterpreter, requireArgumentSpace, requireExecutable } from './command-rules.ts';
import type { CommandFile } from './command-rules.ts';
import type { Architecture } from './seccomp-profile.ts';

/** Of a container: its root file system, and where something else is mounted over it. */
export interface CommandPlace {
  readonly rootfsPath: string;
  readonly mountTargets: readonly string[];
  readonly architecture: Architecture;
}

/** Longest interpreter line. Source: include/uapi/linux/binfmts.h, BINPRM_BUF_SIZE */
const HEAD_BYTES = 256;
const ELOOP = 40;

/**
 * Requires that the command of `process` can be executed. What lies under a mount is not looked at: the kernel has the last word on it.
 *
 * @throws CommandError
 */
export function requireCommand(process: { readonly args: readonly string[]; readonly env: readonly string[]; readonly cwd: string }, place: CommandPlace): void {
  requireArgumentSpace(process.args, process.env);
  const root = openSync(place.rootfsPath, constants.O_DIRECTORY | constants.O_RDONLY);
  try {
    const [name = ''] = process.args;
    const candidates = candidatePaths(name, process);
    if (candidates.some(path => isBelowPrefix(path, place.mountTargets))) {
      return;
    }
    const found = candidates.find(path => readHead(root, path)?.kind === 'file') ?? candidates.find(path => readHead(root, path) !== undefined);
    const file = found === undefined ? undefined : readHead(root, found);
    requireExecutable(found ?? name, file, place.architecture);
    const interpreter = interpreterOf(file?.text ?? '');
    if (interpreter !== undefined && !isBelowPrefix(interpreter, place.mountTargets) && readHead(root, interpreter) === undefined) {
      throw missingInterpreter(found ?? name, interpreter);
    }
  } finally {
    closeSync(root);
  }
}

/** A name without a slash is looked for along PATH. Source: execvp(3) */
function candidatePaths(name: string, { env, cwd }: { readonly env: readonly string[]; readonly cwd: string }): readonly string[] {
  if (name.includes('/')) {
    return [posix.resolve(cwd, name)];
  }
  const path = env.find(line => line.startsWith('PATH='))?.slice('PATH='.length) ?? '';
  return path.split(':').map(directory => posix.resolve(cwd, directory, name));
}

/** Undefined where nothing is, or what is there leads nowhere. */
function readHead(root: number, path: string): CommandFile | undefined {
  let fd: number;
  try {
    fd = openInRoot(root, path, constants.O_NONBLOCK);
  } catch (error) {
    if (error instanceof PathError) {
      return error.errno === ELOOP ? { kind: 'other', mode: 0, text: '' } : undefined;
    }
    throw error;
  }
  try {
    const facts = fstatSync(fd);
    const head = Buffer.alloc(HEAD_BYTES);
    const size = facts.isFile() ? readSync(fd, head, 0, HEAD_BYTES, 0) : 0;
    return { kind: facts.isDirectory() ? 'directory' : facts.isFile() ? 'file' : 'other', mode: facts.mode, text: head.subarray(0, size).toString('latin1') };
  } finally {
    closeSync(fd);
  }
}
