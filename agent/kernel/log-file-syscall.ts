/** Calls that the writer and the readers of container logs need and Node does not have. */
import koffi from 'koffi';
import { SyscallError } from './file-syscall.ts';

const libc = koffi.load('libc.so.6');
type Native = (...args: unknown[]) => number;
const mkfifo = libc.func('int mkfifo(str path, uint mode)') as Native;
const flock = libc.func('int flock(int fd, int operation)') as Native;

/** Source: sys/file.h */
const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;

/** @throws SyscallError, e.g. EEXIST */
export function makeFifo(path: string, mode: number): void {
  if (mkfifo(path, mode) !== 0) {
    throw new SyscallError(`mkfifo ${path}`, koffi.errno());
  }
}

/**
 * Locks an open file until its descriptor is closed, also by the death of the process. False when
 * another descriptor has a lock that excludes this one. Without locks in the file system, no descriptor is excluded.
 * Source: flock(2)
 */
export function tryLock(fd: number, kind: 'shared' | 'exclusive'): boolean {
  return flock(fd, (kind === 'shared' ? LOCK_SH : LOCK_EX) | LOCK_NB) === 0 || koffi.errno() !== koffi.os.errno['EAGAIN'];
}
