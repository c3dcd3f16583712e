/**
 * Starting programs without forking the agent.
 *
 * libuv's spawn copies the agent's page tables (10 ms at 250 MB); posix_spawn(3) shares them until the exec (0.2 ms whatever the size).
 * Source: posix_spawn(3), "glibc uses clone(2) with CLONE_VM and CLONE_VFORK"
 */
import koffi from 'koffi';
import { SyscallError } from './file-syscall.ts';

/** Open files of the child by number: a descriptor of ours, or a path it opens itself (the first terminal becomes its controlling one). */
export type ChildFile = { readonly fd: number } | { readonly path: string };

export interface SpawnRequest {
  readonly program: string;
  /** Without the program's own name. */
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly files: ReadonlyMap<number, ChildFile>;
  /** Working directory. Absent: ours. */
  readonly directory?: string;
}

export interface ProcessExit {
  /** 128 + signal when killed by one. */
  readonly code: number;
}

const libc = koffi.load('libc.so.6');
type Native = (...args: unknown[]) => number;
const declare = (signature: string): Native => libc.func(signature) as Native;
const pipe2 = declare('int pipe2(_Out_ int *fds, int flags)');
const waitpid = declare('int waitpid(int pid, _Out_ int *status, int options)');
const posixSpawn = libc.func('int posix_spawn(_Out_ int *pid, str path, void *actions, void *attributes, str *argv, str *envp)');
const actionsInit = declare('int posix_spawn_file_actions_init(void *actions)');
const actionsDestroy = declare('int posix_spawn_file_actions_destroy(void *actions)');
const actionsDup = declare('int posix_spawn_file_actions_adddup2(void *actions, int fd, int target)');
const actionsOpen = declare('int posix_spawn_file_actions_addopen(void *actions, int target, str path, int flags, uint mode)');
const actionsChangeDirectory = declare('int posix_spawn_file_actions_addchdir_np(void *actions, str path)');
const attributesInit = declare('int posix_spawnattr_init(void *attributes)');
const attributesDestroy = declare('int posix_spawnattr_destroy(void *attributes)');
const setFlags = declare('int posix_spawnattr_setflags(void *attributes, short flags)');
const setDefaultSignals = declare('int posix_spawnattr_setsigdefault(void *attributes, void *set)');
const setSignalMask = declare('int posix_spawnattr_setsigmask(void *attributes, void *set)');
const fillSignals = declare('int sigfillset(void *set)');

/** Larger than glibc's posix_spawnattr_t (336), posix_spawn_file_actions_t (80) and sigset_t (128) on every 64-bit machine. */
const OPAQUE_BYTES = 512;
/** Source: fcntl.h, spawn.h (glibc, Linux) */
const O_RDWR = 2;
const O_CLOEXEC = 0o2000000;
/** Source: bits/waitflags.h */
const WNOHANG = 1;
const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const POSIX_SPAWN_SETSID = 0x80;
/** Targets below this never collide with a descriptor of ours: Node's own files hold the low numbers. */
const FIRST_SAFE_FD = 5;

/** A pipe whose ends no child inherits unless it is given one. @throws SyscallError, e.g. EMFILE */
export function makePipe(): { readonly readFd: number; readonly writeFd: number } {
  const fds = [0, 0];
  if (pipe2(fds, O_CLOEXEC) !== 0) {
    throw new SyscallError('pipe2', koffi.errno());
  }
  return { readFd: fds[0] ?? -1, writeFd: fds[1] ?? -1 };
}

/**
 * Starts `request.program` in a session of its own, signals at their defaults and unblocked, and answers its pid. The caller reaps it.
 *
 * It runs on a thread beside, which stands still until the program is loaded: a millisecond or two on a busy machine.
 * @throws SyscallError naming the program
 */
export async function spawnProcess(request: SpawnRequest): Promise<number> {
  const actions = Buffer.alloc(OPAQUE_BYTES);
  const attributes = Buffer.alloc(OPAQUE_BYTES);
  actionsInit(actions);
  attributesInit(attributes);
  try {
    addFiles(actions, request.files);
    if (request.directory !== undefined) {
      actionsChangeDirectory(actions, request.directory);
    }
    const signals = Buffer.alloc(OPAQUE_BYTES);
    setSignalMask(attributes, signals);
    fillSignals(signals);
    setDefaultSignals(attributes, signals);
    setFlags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    const pid = [0];
    const environment = Object.entries(request.environment).map(([name, value]) => `${name}=${value}`);
    const argv = [request.program, ...request.args, null];
    const errno = await new Promise<number>((resolve, reject) => {
      posixSpawn.async(pid, request.program, actions, attributes, argv, [...environment, null], (error: Error | null, outcome: number) => {
        if (error === null) resolve(outcome);
        else reject(error);
      });
    });
    if (errno !== 0) {
      throw new SyscallError(`posix_spawn ${request.program}`, errno);
    }
    return pid[0] ?? -1;
  } finally {
    actionsDestroy(actions);
    attributesDestroy(attributes);
  }
}

/** Waits for a child of `spawnProcess` that is known to be ending; blocks until it did. */
export function reapProcess(pid: number): ProcessExit {
  const status = [0];
  if (waitpid(pid, status, 0) !== pid) {
    throw new Error(`waitpid ${String(pid)}: errno ${String(koffi.errno())}`);
  }
  return { code: exitCode(status[0] ?? 0) };
}

/** The end of a child of `spawnProcess`; undefined while it has none. Never blocks. */
export function tryReap(pid: number): ProcessExit | undefined {
  const status = [0];
  const reaped = waitpid(pid, status, WNOHANG);
  if (reaped !== 0 && reaped !== pid) {
    throw new Error(`waitpid ${String(pid)}: errno ${String(koffi.errno())}`);
  }
  return reaped === 0 ? undefined : { code: exitCode(status[0] ?? 0) };
}

/** Source: wait(2), WIFEXITED and WTERMSIG as glibc defines them */
function exitCode(status: number): number {
  const signal = status & 0x7f;
  return signal === 0 ? (status >> 8) & 0xff : 128 + signal;
}

function addFiles(actions: Buffer, files: ReadonlyMap<number, ChildFile>): void {
  for (const [target, file] of files) {
    if ('path' in file) {
      actionsOpen(actions, target, file.path, O_RDWR, 0);
      continue;
    }
    if (file.fd < FIRST_SAFE_FD) {
      throw new RangeError(`descriptor ${String(file.fd)} would collide with the child's own`);
    }
    actionsDup(actions, file.fd, target);
  }
}
