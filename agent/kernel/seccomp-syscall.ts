/** Giving up system calls, for good. Source: seccomp(2) */
import koffi from 'koffi';
import { checked } from './file-syscall.ts';

const libc = koffi.load('libc.so.6');
/** struct sock_fprog */
const FilterProgram = koffi.struct('FilterProgram', { length: 'uint16', filter: 'void *' });
const seccomp = libc.func('syscall', 'long', ['long', 'uint', 'uint', koffi.pointer(FilterProgram)]);

const NUMBERS: Readonly<Partial<Record<NodeJS.Architecture, number>>> = { x64: 317, arm64: 277 };
const SET_MODE_FILTER = 1;
/** All threads of the process, those that libraries started too. */
const FILTER_FLAG_TSYNC = 1;
const INSTRUCTION_BYTES = 8;

/** Filters every thread's calls from now on by `program`, in classic BPF; the process has no_new_privs. @throws SyscallError */
export function filterSyscalls(program: Buffer): void {
  const number = NUMBERS[process.arch];
  if (number === undefined) {
    throw new RangeError(`no filter for ${process.arch}`);
  }
  checked('seccomp', Number(seccomp(number, SET_MODE_FILTER, FILTER_FLAG_TSYNC, { length: program.length / INSTRUCTION_BYTES, filter: program })));
}
