/**
 * The system calls a container may make, in every profile.
 *
 * An allow list: what is not named answers EPERM. Left out on purpose (reliability 9): the mount family and fsopen, setns, bpf,
 * perf_event_open, pidfd_getfd, keyctl, add_key, request_key, io_uring_*, userfaultfd, open_by_handle_at, kexec_*, module calls,
 * quotactl, and everything that sets the machine's clock, name, swap or accounting.
 * Source: OCI runtime-spec, config-linux.md, "Seccomp"
 */
export type Architecture = 'x64' | 'arm64';

interface SeccompArgument {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: 'SCMP_CMP_EQ' | 'SCMP_CMP_LT' | 'SCMP_CMP_MASKED_EQ';
}

interface SeccompRule {
  readonly names: readonly string[];
  readonly action: 'SCMP_ACT_ALLOW' | 'SCMP_ACT_ERRNO';
  readonly errnoRet?: number;
  readonly args?: readonly SeccompArgument[];
}

export interface SeccompProfile {
  readonly defaultAction: 'SCMP_ACT_ERRNO';
  readonly defaultErrnoRet: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly SeccompRule[];
}

/** Source: errno(3) on Linux. */
const EPERM = 1;
const ENOSYS = 38;
/** Every CLONE_NEW* but NEWTIME: NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. Source: include/uapi/linux/sched.h */
const CLONE_NEW_MASK = 0x7e02_0000;
/** CLONE_NEWTIME shares its bit with clone's exit signal, so it is a flag of unshare alone. Source: include/uapi/linux/sched.h */
const UNSHARE_NEW_MASK = CLONE_NEW_MASK | 0x80;
/** The first socket family refused; AF_VSOCK is 40 and everything later is refused with it. Source: include/linux/socket.h */
const AF_ALG = 38;
const PTRACE_TRACEME = 0;
/** PER_LINUX, PER_LINUX32, each with and without UNAME26, and the query. Source: personality(2) */
const PERSONALITIES = [0x0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

const ARCHITECTURES: Readonly<Record<Architecture, string>> = { x64: 'SCMP_ARCH_X86_64', arm64: 'SCMP_ARCH_AARCH64' };

const FILES = `access cachestat chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64
  fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstatfs
  fsync ftruncate futimesat getcwd getdents getdents64 getxattr getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch
  io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit lchown lgetxattr link linkat listxattr listxattrat llistxattr
  lremovexattr lseek lsetxattr lstat memfd_create mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat openat2 pread64 preadv
  preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr removexattrat rename renameat renameat2 rmdir sendfile
  setxattr setxattrat splice stat statfs statx symlink symlinkat sync sync_file_range syncfs tee truncate umask unlink unlinkat utime
  utimensat utimes vmsplice write writev`;
const MEMORY = `brk get_mempolicy madvise map_shadow_stack membarrier memfd_secret mincore mlock mlock2 mlockall mmap mprotect mremap mseal
  msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease remap_file_pages`;
const PROCESSES = `alarm arch_prctl capget capset execve execveat exit exit_group fork futex futex_requeue futex_wait futex_waitv futex_wake
  get_robust_list get_thread_area getcpu getegid geteuid getgid getgroups getitimer getpgid getpgrp getpid getppid getpriority getrandom
  getresgid getresuid getrlimit getrusage getsid gettid getuid ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset
  landlock_restrict_self pause pidfd_open pidfd_send_signal prctl prlimit64 restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask
  rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min
  sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam
  sched_setscheduler sched_yield seccomp set_robust_list set_thread_area set_tid_address setfsgid setfsuid setgid setgroups setitimer
  setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid setuid sigaltstack sysinfo tgkill time times tkill uname
  vfork wait4 waitid chroot ioctl`;
const COMMUNICATION = `accept accept4 bind connect epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait
  epoll_wait_old eventfd eventfd2 getpeername getsockname getsockopt listen mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend
  mq_unlink msgctl msgget msgrcv msgsnd pipe pipe2 poll ppoll pselect6 recvfrom recvmmsg recvmsg select semctl semget semop semtimedop
  sendmmsg sendmsg sendto setsockopt shmat shmctl shmdt shmget shutdown signalfd signalfd4`;
const TIME = `clock_getres clock_gettime clock_nanosleep gettimeofday nanosleep timer_create timer_delete timer_getoverrun timer_gettime
  timer_settime timerfd_create timerfd_gettime timerfd_settime`;

/**
 * The seccomp section of every container's OCI config, for the machine's own ABI alone: any other ABI's calls kill the caller.
 *
 * @param mayTrace  other processes of its pid namespace: for a debug container
 */
export function seccompProfile(architecture: Architecture, { mayTrace }: { readonly mayTrace: boolean } = { mayTrace: false }): SeccompProfile {
  const always = [FILES, MEMORY, PROCESSES, COMMUNICATION, TIME].flatMap(words).sort();
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: EPERM,
    architectures: [ARCHITECTURES[architecture]],
    syscalls: [
      { names: always, action: 'SCMP_ACT_ALLOW' },
      allowWhen(['clone'], { index: 0, value: CLONE_NEW_MASK, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }),
      allowWhen(['unshare'], { index: 0, value: UNSHARE_NEW_MASK, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }),
      { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
      mayTrace ? { names: ['ptrace', 'process_vm_readv', 'process_vm_writev'], action: 'SCMP_ACT_ALLOW' } : allowWhen(['ptrace'], { index: 0, value: PTRACE_TRACEME, op: 'SCMP_CMP_EQ' }),
      ...PERSONALITIES.map(value => allowWhen(['personality'], { index: 0, value, op: 'SCMP_CMP_EQ' })),
      allowWhen(['socket', 'socketpair'], { index: 0, value: AF_ALG, op: 'SCMP_CMP_LT' }),
    ],
  };
}

function allowWhen(names: readonly string[], argument: SeccompArgument): SeccompRule {
  return { names, action: 'SCMP_ACT_ALLOW', args: [argument] };
}

function words(text: string): readonly string[] {
  return text.split(/\s+/);
}
