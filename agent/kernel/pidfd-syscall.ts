/** Signals to processes by descriptor, so that a reused pid is never hit. */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import koffi from 'koffi';
import { SyscallError } from './file-syscall.ts';

const libc = koffi.load('libc.so.6');
const syscall = libc.func('long syscall(long number, ...)') as unknown as (...args: unknown[]) => number;
/** The same on x86-64 and arm64. Source: include/uapi/asm-generic/unistd.h */
const SYS_PIDFD_SEND_SIGNAL = 424;
const SYS_PIDFD_OPEN = 434;
/** Source: errno(3) */
const ESRCH = 3;

/**
 * Sends `signal` to process `pid` if `isStillIt` says so once the process is pinned; false when it is gone or another one.
 *
 * Source: pidfd_open(2), pidfd_send_signal(2)
 */
export function signalProcess(pid: number, signal: NodeJS.Signals, isStillIt: () => boolean): boolean {
  const fd = syscall(SYS_PIDFD_OPEN, 'int', pid, 'uint', 0);
  if (fd < 0) {
    return failed('pidfd_open', pid);
  }
  try {
    if (!isStillIt()) {
      return false;
    }
    return syscall(SYS_PIDFD_SEND_SIGNAL, 'int', fd, 'int', constants.signals[signal], 'void *', null, 'uint', 0) === 0
      || failed('pidfd_send_signal', pid);
  } finally {
    closeSync(fd);
  }
}

function failed(call: string, pid: number): false {
  const errno = koffi.errno();
  if (errno !== ESRCH) {
    throw new SyscallError(`${call} ${String(pid)}`, errno);
  }
  return false;
}
