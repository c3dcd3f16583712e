/** Pseudo-terminals of the host. Source: pts(4), TIOCGPTN and TIOCSPTLCK in ioctl_tty(2) */
import { closeSync, constants, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import koffi from 'koffi';

const libc = koffi.load('libc.so.6');
const ioctl = libc.func('int ioctl(int fd, ulong request, void *argument)') as unknown as (fd: number, request: number, argument: Buffer) => number;
const tcgetattr = libc.func('int tcgetattr(int fd, void *state)') as unknown as (fd: number, state: Buffer) => number;
const tcsetattr = libc.func('int tcsetattr(int fd, int when, void *state)') as unknown as (fd: number, when: number, state: Buffer) => number;
const cfmakeraw = libc.func('void cfmakeraw(void *state)') as unknown as (state: Buffer) => void;
type Native = (...args: unknown[]) => number;
const declare = (signature: string): Native => libc.func(signature) as Native;
koffi.struct('iovec', { base: 'void *', len: 'size_t' });
koffi.struct('msghdr', { name: 'void *', namelen: 'uint', iov: 'iovec *', iovlen: 'size_t', control: 'void *', controllen: 'size_t', flags: 'int' });
const socket = declare('int socket(int domain, int type, int protocol)');
const bind = declare('int bind(int fd, void *address, uint length)');
const listen = declare('int listen(int fd, int backlog)');
const accept4 = declare('int accept4(int fd, void *address, void *length, int flags)');
const recvmsg = declare('long recvmsg(int fd, msghdr *message, int flags)');
/** Source: bits/socket.h; SOCK_NONBLOCK and SOCK_CLOEXEC are the flags of open(2) */
const AF_UNIX = 1;
const SOCK_STREAM = 1;
const NONBLOCK_CLOEXEC = 0o2004000;
const SCM_RIGHTS = 1;
const MSG_CMSG_CLOEXEC = 0x4000_0000;
const ADDRESS_BYTES = 110;
/** CMSG_SPACE of one descriptor. */
const CONTROL_BYTES = 24;
/** Larger than struct termios (60 bytes). */
const TERMIOS_BYTES = 256;
const TCSANOW = 0;
/** The same on x86-64 and arm64. Source: include/uapi/asm-generic/ioctls.h */
const TIOCSPTLCK = 0x4004_5431;
const TIOCGPTN = 0x8004_5430;
const TIOCSWINSZ = 0x5414;

/** A new pair that changes no byte (raw), our side open, the other by its path. The caller closes `masterFd`. Source: termios(3) */
export function openTerminal(): { readonly masterFd: number; readonly path: string } {
  const masterFd = openSync('/dev/ptmx', constants.O_RDWR | constants.O_NOCTTY);
  const number = Buffer.alloc(4);
  if (ioctl(masterFd, TIOCSPTLCK, number) !== 0 || ioctl(masterFd, TIOCGPTN, number) !== 0) {
    closeSync(masterFd);
    throw new Error(`ioctl on a new terminal: errno ${String(koffi.errno())}`);
  }
  const state = Buffer.alloc(TERMIOS_BYTES);
  tcgetattr(masterFd, state);
  cfmakeraw(state);
  tcsetattr(masterFd, TCSANOW, state);
  return { masterFd, path: `/dev/pts/${String(number.readUInt32LE(0))}` };
}

/** Tells the terminal its size; its foreground processes get SIGWINCH. Source: struct winsize in ioctl_tty(2) */
export function setTerminalSize(masterFd: number, size: { readonly columns: number; readonly rows: number }): void {
  const winsize = Buffer.alloc(8);
  winsize.writeUInt16LE(size.rows & 0xffff, 0);
  winsize.writeUInt16LE(size.columns & 0xffff, 2);
  if (ioctl(masterFd, TIOCSWINSZ, winsize) !== 0) {
    throw new Error(`TIOCSWINSZ: errno ${String(koffi.errno())}`);
  }
}

/** A socket that takes one terminal from an OCI runtime. Source: runc, docs/terminals.md, "--console-socket"; unix(7), SCM_RIGHTS */
export class ConsoleSocket {
  readonly #listener: number;
  #connection: number | undefined;

  /** Listens at `path`, however long. @throws Error with the errno */
  constructor(path: string) {
    const dirFd = openSync(dirname(path), constants.O_DIRECTORY | constants.O_RDONLY);
    this.#listener = socket(AF_UNIX, SOCK_STREAM | NONBLOCK_CLOEXEC, 0);
    const address = Buffer.alloc(ADDRESS_BYTES);
    address.writeUInt16LE(AF_UNIX, 0);
    address.write(`/proc/self/fd/${String(dirFd)}/${basename(path)}`, 2, 'utf8');
    const isListening = bind(this.#listener, address, ADDRESS_BYTES) === 0 && listen(this.#listener, 1) === 0;
    const errno = koffi.errno();
    closeSync(dirFd);
    if (!isListening) {
      this.close();
      throw new Error(`listen ${path}: errno ${String(errno)}`);
    }
  }

  /** Our side of the terminal that was sent, or undefined when none came yet. The caller closes it. */
  receive(): number | undefined {
    if (this.#connection === undefined) {
      const fd = accept4(this.#listener, null, null, NONBLOCK_CLOEXEC);
      if (fd < 0) {
        return undefined;
      }
      this.#connection = fd;
    }
    const bytes = Buffer.alloc(4096);
    const control = Buffer.alloc(CONTROL_BYTES);
    const message = { name: null, namelen: 0, iov: [{ base: bytes, len: bytes.length }], iovlen: 1, control, controllen: control.length, flags: 0 };
    const received = recvmsg(this.#connection, message, MSG_CMSG_CLOEXEC);
    // struct cmsghdr: length (8), level (4), type (4), then the descriptor
    return received > 0 && control.readInt32LE(12) === SCM_RIGHTS ? control.readInt32LE(16) : undefined;
  }

  close(): void {
    closeSync(this.#listener);
    if (this.#connection !== undefined) {
      closeSync(this.#connection);
    }
  }
}
