/** Entering namespaces: for one thread, never the main one. */
import { closeSync, openSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import koffi from 'koffi';

const libc = koffi.load('libc.so.6');
const setns = libc.func('int setns(int fd, int type)') as unknown as (fd: number, type: number) => number;
const socket = libc.func('int socket(int domain, int type, int protocol)') as unknown as (domain: number, type: number, protocol: number) => number;
/** Source: bits/socket.h; SOCK_NONBLOCK and SOCK_CLOEXEC are the flags of open(2) */
const AF_INET = 2;
const SOCK_STREAM = 1;
const NONBLOCK_CLOEXEC = 0o2004000;
/** Source: include/uapi/linux/sched.h */
const CLONE_NEWNET = 0x4000_0000;

/**
 * Moves this worker thread into the network namespace that `path` names; sockets it opens from now on are there.
 *
 * The thread pool is started by whoever first needs it and stays in that one's namespace: the main thread must have used it before,
 * and a worker inside must not use it (asynchronous files, DNS by getaddrinfo).
 *
 * @throws Error on the main thread, or with the errno
 * Source: setns(2)
 */
export function enterNetworkNamespace(path: string): void {
  if (isMainThread) {
    throw new Error('the main thread never changes its network namespace');
  }
  const fd = openSync(path, 'r');
  try {
    if (setns(fd, CLONE_NEWNET) !== 0) {
      throw new Error(`setns ${path}: errno ${String(koffi.errno())}`);
    }
  } finally {
    closeSync(fd);
  }
}

/**
 * Runs `work` in the network namespace that `path` names and comes back: for sockets and settings. `work` must be synchronous, and may call the
 * kernel but not start threads or processes; so nothing else of this process sees the other namespace.
 *
 * Ends the process when there is no way back, which no error could tell: it would go on in the wrong namespace.
 * @throws Error when the namespace cannot be entered; else as `work` does
 * Source: setns(2): "the calling thread"
 */
export function inNetworkNamespace<Result>(path: string, work: () => Result): Result {
  const own = openSync('/proc/thread-self/ns/net', 'r');
  try {
    const other = openSync(path, 'r');
    try {
      if (setns(other, CLONE_NEWNET) !== 0) {
        throw new Error(`setns ${path}: errno ${String(koffi.errno())}`);
      }
    } finally {
      closeSync(other);
    }
    try {
      return work();
    } finally {
      if (setns(own, CLONE_NEWNET) !== 0) {
        process.abort();
      }
    }
  } finally {
    closeSync(own);
  }
}

/** An unconnected IPv4 stream socket of this thread's network namespace, which it stays in for ever. Source: socket(2), ip(7) */
export function openTcpSocket(): number {
  const fd = socket(AF_INET, SOCK_STREAM | NONBLOCK_CLOEXEC, 0);
  if (fd < 0) {
    throw new Error(`socket: errno ${String(koffi.errno())}`);
  }
  return fd;
}
