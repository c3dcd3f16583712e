/**
 * The system calls that the extractor gives up once it is in its directory: what it needs is files, memory and threads.
 *
 * Refused with EPERM: sockets, programs and processes, mounts and namespaces, devices but a whiteout's 0/0, and all that reaches into other
 * processes, the kernel or the machine. Of a foreign ABI every call ends the process.
 * Source: seccomp(2); include/uapi/linux/{seccomp.h,filter.h}; arch/x86/entry/syscalls/syscall_64.tbl; include/uapi/asm-generic/unistd.h
 */
export type FilterArchitecture = 'x64' | 'arm64';

interface Numbers {
  /** AUDIT_ARCH_*. Source: include/uapi/linux/audit.h */
  readonly audit: number;
  readonly refused: readonly number[];
  readonly clone: number;
  /** The call, and which of its arguments is the device. */
  readonly mknod: readonly (readonly [number, number])[];
}

/**
 * Equal on both: pidfd_open, pidfd_getfd, io_uring_setup, io_uring_register, open_tree, move_mount, fsopen, fsconfig, fsmount, fspick, mount_setattr,
 * pidfd_send_signal, process_madvise, quotactl_fd, process_mrelease. Not io_uring_enter: libuv made one ring for its own epoll before the filter
 * was there, and ends the process when it cannot use it. No other ring can be made.
 */
const REFUSED_ON_BOTH = [434, 438, 425, 427, 428, 429, 430, 431, 432, 433, 442, 424, 440, 443, 448];
/** It hides its flags in memory, so it is answered as not there and the C library takes clone. */
const CLONE3 = 435;

const NUMBERS: Readonly<Record<FilterArchitecture, Numbers>> = {
  x64: {
    audit: 0xc000_003e,
    refused: [
      41, 42, 43, 49, 50, 53, 288, // socket connect accept bind listen socketpair accept4
      57, 58, 59, 322, 101, 310, 311, 312, // fork vfork execve execveat ptrace process_vm_readv process_vm_writev kcmp
      155, 161, 165, 166, 272, 308, // pivot_root chroot mount umount2 unshare setns
      103, 163, 164, 167, 168, 169, 170, 171, 172, 173, 179, 227, 305, 159, 135, // syslog acct settimeofday swapon swapoff reboot sethostname setdomainname iopl ioperm quotactl clock_settime clock_adjtime adjtimex personality
      175, 176, 313, 246, 320, // init_module delete_module finit_module kexec_load kexec_file_load
      248, 249, 250, 298, 321, 323, 303, 304, // add_key request_key keyctl perf_event_open bpf userfaultfd name_to_handle_at open_by_handle_at
    ],
    clone: 56,
    mknod: [[133, 2], [259, 3]], // mknod mknodat
  },
  arm64: {
    audit: 0xc000_00b7,
    refused: [
      198, 203, 202, 200, 201, 199, 242,
      221, 281, 117, 270, 271, 272,
      41, 51, 40, 39, 97, 268,
      116, 89, 170, 224, 225, 142, 161, 162, 60, 112, 266, 171, 92,
      105, 106, 273, 104, 294,
      217, 218, 219, 241, 280, 282, 264, 265,
    ],
    clone: 220,
    mknod: [[33, 3]],
  },
};

/** Offsets in struct seccomp_data. */
const NUMBER_AT = 0;
const ARCHITECTURE_AT = 4;
const ARGUMENTS_AT = 16;
const ARGUMENT_BYTES = 8;
/** Opcodes of classic BPF: load a word, jump if equal, jump if at least, jump if any bit, return. Source: include/uapi/linux/bpf_common.h */
const LOAD = 0x20;
const JUMP_EQUAL = 0x15;
const JUMP_AT_LEAST = 0x35;
const JUMP_BITS = 0x45;
const RETURN = 0x06;
const ALLOW = 0x7fff_0000;
const KILL_PROCESS = 0x8000_0000;
const ERRNO = 0x0005_0000;
const EPERM = 1;
const ENOSYS = 38;
/** x32 calls have this bit under the same architecture. Source: __X32_SYSCALL_BIT */
const X32_BIT = 0x4000_0000;
/** A thread, not a process. Source: include/uapi/linux/sched.h */
const CLONE_THREAD = 0x0001_0000;

/** One instruction: opcode, jump if true, jump if false, operand. */
type Instruction = readonly [number, number, number, number];

/** The filter as the kernel takes it: eight bytes an instruction, little-endian. */
export function extractorFilter(architecture: FilterArchitecture): Buffer {
  const { audit, refused, clone, mknod } = NUMBERS[architecture];
  const program: readonly Instruction[] = [
    [LOAD, 0, 0, ARCHITECTURE_AT],
    [JUMP_EQUAL, 1, 0, audit],
    [RETURN, 0, 0, KILL_PROCESS],
    [LOAD, 0, 0, NUMBER_AT],
    [JUMP_AT_LEAST, 0, 1, X32_BIT],
    [RETURN, 0, 0, ERRNO | EPERM],
    ...[...refused, ...REFUSED_ON_BOTH].flatMap((number): readonly Instruction[] => [[JUMP_EQUAL, 0, 1, number], [RETURN, 0, 0, ERRNO | EPERM]]),
    [JUMP_EQUAL, 0, 1, CLONE3],
    [RETURN, 0, 0, ERRNO | ENOSYS],
    // Both end in a return: what is loaded over the number is of no call after them.
    [JUMP_EQUAL, 0, 4, clone],
    [LOAD, 0, 0, ARGUMENTS_AT],
    [JUMP_BITS, 0, 1, CLONE_THREAD],
    [RETURN, 0, 0, ALLOW],
    [RETURN, 0, 0, ERRNO | EPERM],
    ...mknod.flatMap(([number, argument]): readonly Instruction[] => [
      [JUMP_EQUAL, 0, 4, number],
      [LOAD, 0, 0, ARGUMENTS_AT + ARGUMENT_BYTES * argument],
      [JUMP_EQUAL, 0, 1, 0],
      [RETURN, 0, 0, ALLOW],
      [RETURN, 0, 0, ERRNO | EPERM],
    ]),
    [RETURN, 0, 0, ALLOW],
  ];
  const bytes = Buffer.alloc(program.length * 8);
  program.forEach(([code, ifTrue, ifFalse, operand], index) => {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(ifTrue, index * 8 + 2);
    bytes.writeUInt8(ifFalse, index * 8 + 3);
    bytes.writeUInt32LE(operand >>> 0, index * 8 + 4);
  });
  return bytes;
}
