/**
 * SOCK_SEQPACKET sockets, which Node cannot hold, and poll(2) over them: for one worker thread that may block.
 *
 * Source: unix(7), poll(2)
 */
import { closeSync, openSync, constants as fsConstants } from 'node:fs';
import { basename, dirname } from 'node:path';
import koffi from 'koffi';
import { SyscallError } from './file-syscall.ts';

const libc = koffi.load('libc.so.6');
type Native = (...args: unknown[]) => number;
const declare = (signature: string): Native => libc.func(signature) as Native;
const socket = declare('int socket(int domain, int type, int protocol)');
const connect = declare('int connect(int fd, void *address, uint length)');
const recv = declare('long recv(int fd, void *buffer, size_t length, int flags)');
const send = declare('long send(int fd, void *buffer, size_t length, int flags)');
const shutdown = declare('int shutdown(int fd, int how)');
const pollCall = declare('int poll(void *fds, ulong count, int timeout)');
const eventfd = declare('int eventfd(uint initial, int flags)');

/** Source: bits/socket.h, asm-generic/fcntl.h, poll.h, errno(3) */
const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const NONBLOCK = 0o4000;
const CLOEXEC = 0o2000000;
const MSG_NOSIGNAL = 0x4000;
const SHUT_WR = 1;
const EAGAIN = 11;
const EINTR = 4;
export const POLLIN = 0x01;
export const POLLOUT = 0x04;
/** sizeof(struct sockaddr_un), sizeof(struct pollfd) */
const ADDRESS_BYTES = 110;
const POLLFD_BYTES = 8;

/** A connection to the socket at `path`, however long: its directory is opened first. @throws Error with the errno */
export function connectSeqpacket(path: string): number {
  const dirFd = openSync(dirname(path), fsConstants.O_DIRECTORY | fsConstants.O_RDONLY);
  const fd = socket(AF_UNIX, SOCK_SEQPACKET | NONBLOCK | CLOEXEC, 0);
  try {
    const address = Buffer.alloc(ADDRESS_BYTES);
    address.writeUInt16LE(AF_UNIX, 0);
    address.write(`/proc/self/fd/${String(dirFd)}/${basename(path)}`, 2, 'utf8');
    if (fd < 0 || connect(fd, address, ADDRESS_BYTES) !== 0) {
      throw new Error(`connect ${path}: errno ${String(koffi.errno())}`);
    }
    return fd;
  } catch (error) {
    if (fd >= 0) {
      closeSync(fd);
    }
    throw error;
  } finally {
    closeSync(dirFd);
  }
}

/** One packet into `buffer`: its length, 0 at the end, undefined when none is there. A broken connection is an end. */
export function receivePacket(fd: number, buffer: Buffer): number | undefined {
  const length = recv(fd, buffer, buffer.length, 0);
  if (length >= 0) {
    return length;
  }
  const errno = koffi.errno();
  return errno === EAGAIN || errno === EINTR ? undefined : 0;
}

/** False when the peer takes nothing now. @throws Error with the errno when it is gone */
export function sendPacket(fd: number, bytes: Uint8Array): boolean {
  if (send(fd, bytes, bytes.length, MSG_NOSIGNAL) >= 0) {
    return true;
  }
  const errno = koffi.errno();
  if (errno !== EAGAIN && errno !== EINTR) {
    throw new Error(`send: errno ${String(errno)}`);
  }
  return false;
}

/** Tells the peer that nothing more comes. */
export function shutdownWrite(fd: number): void {
  shutdown(fd, SHUT_WR);
}

/** A counter that one thread writes (8 bytes, little-endian) to end another's `pollFiles`. Source: eventfd(2) */
export function makeWakeup(): number {
  const fd = eventfd(0, NONBLOCK | CLOEXEC);
  if (fd < 0) {
    throw new SyscallError('eventfd', koffi.errno());
  }
  return fd;
}

/** Blocks until one of `wanted` (descriptor -> POLLIN, POLLOUT) is ready, broken, or time is up; the ready ones. */
export function pollFiles(wanted: ReadonlyMap<number, number>, timeoutMs: number): readonly number[] {
  const buffer = Buffer.alloc(POLLFD_BYTES * wanted.size);
  const fds = [...wanted.keys()];
  fds.forEach((fd, index) => {
    buffer.writeInt32LE(fd, index * POLLFD_BYTES);
    buffer.writeInt16LE(wanted.get(fd) ?? 0, index * POLLFD_BYTES + 4);
  });
  if (pollCall(buffer, fds.length, timeoutMs) <= 0) {
    return [];
  }
  return fds.filter((_, index) => buffer.readInt16LE(index * POLLFD_BYTES + 6) !== 0);
}
