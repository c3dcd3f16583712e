/** Pseudo-terminals of the host. Source: pts(4), TIOCGPTN and TIOCSPTLCK in ioctl_tty(2) */
import { closeSync, constants, openSync } from 'node:fs';
import koffi from 'koffi';

const libc = koffi.load('libc.so.6');
const ioctl = libc.func('int ioctl(int fd, ulong request, void *argument)') as unknown as (fd: number, request: number, argument: Buffer) => number;
/** The same on x86-64 and arm64. Source: include/uapi/asm-generic/ioctls.h */
const TIOCSPTLCK = 0x4004_5431;
const TIOCGPTN = 0x8004_5430;
const TIOCSWINSZ = 0x5414;

/** A new pair: our side open, the other by its path. The caller closes `masterFd`. */
export function openTerminal(): { readonly masterFd: number; readonly path: string } {
  const masterFd = openSync('/dev/ptmx', constants.O_RDWR | constants.O_NOCTTY);
  const number = Buffer.alloc(4);
  if (ioctl(masterFd, TIOCSPTLCK, number) !== 0 || ioctl(masterFd, TIOCGPTN, number) !== 0) {
    closeSync(masterFd);
    throw new Error(`ioctl on a new terminal: errno ${String(koffi.errno())}`);
  }
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
