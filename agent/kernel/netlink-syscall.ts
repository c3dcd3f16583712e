/** rtnetlink sockets. */
import koffi from 'koffi';
import { SyscallError, checked } from './file-syscall.ts';

const libc = koffi.load('libc.so.6');
const socket = libc.func('int socket(int domain, int type, int protocol)') as unknown as (domain: number, type: number, protocol: number) => number;
const send = libc.func('long send(int fd, const uint8_t *bytes, size_t size, int flags)');
const receive = libc.func('long recv(int fd, _Out_ uint8_t *bytes, size_t size, int flags)') as unknown as (fd: number, bytes: Buffer, size: number, flags: number) => number;
const nameToIndex = libc.func('unsigned int if_nametoindex(const char *name)') as unknown as (name: string) => number;

// Source: bits/socket.h, linux/netlink.h
const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const NETLINK_ROUTE = 0;
const MSG_DONTWAIT = 0x40;
const DATAGRAM_BYTES = 64 * 1024;
/** Source: errno(3) */
const ENODEV = 19;
const EMFILE = 24;

/** A socket of this thread's network namespace, which it stays in for ever. The caller closes it. */
export function openRouteSocket(): number {
  return checked('socket', socket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE));
}

/** The index of a link of this thread's network namespace; 0: none has that name. @throws SyscallError EMFILE without a descriptor to ask by. Source: if_nametoindex(3) */
export function linkIndex(name: string): number {
  const index = nameToIndex(name);
  // Without a socket of its own glibc answers 0 too, with an errno of something else. Source: glibc, sysdeps/unix/sysv/linux/if_index.c, opensock.c
  if (index === 0 && koffi.errno() !== ENODEV) {
    throw new SyscallError(`if_nametoindex ${name}`, EMFILE);
  }
  return index;
}

/** Sends one datagram, on a thread of the pool: the kernel acts before the call returns, and may wait long for its lock. Source: net/core/rtnetlink.c, rtnl_lock */
export async function sendRequests(fd: number, datagram: Buffer): Promise<void> {
  const sent = await new Promise<unknown>((resolve, reject) => {
    send.async(fd, datagram, datagram.length, 0, (error: unknown, count: unknown) => {
      if (error === null || error === undefined) resolve(count);
      else reject(new Error('netlink: not sent', { cause: error }));
    });
  });
  if (sent !== datagram.length) {
    throw new Error(`netlink: ${String(sent)} of ${String(datagram.length)} bytes sent`);
  }
}

/** The next datagram that waits, or undefined. */
export function receiveAnswer(fd: number): Buffer | undefined {
  const bytes = Buffer.alloc(DATAGRAM_BYTES);
  const count = receive(fd, bytes, bytes.length, MSG_DONTWAIT);
  return count <= 0 ? undefined : bytes.subarray(0, count);
}
