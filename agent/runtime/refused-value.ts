/** Values of a task that the kernel never takes, as crun and runc report them. */

/** Source: crun, src/libcrun/linux.c, libcrun_set_sysctl, libcrun_set_rlimits; runc, libcontainer/{standard_init,init}_linux.go */
const REFUSALS: readonly RegExp[] = [
  /(?:open|write to|write) `?\/proc\/sys\/.+: (?:invalid argument|no such file or directory|numerical result out of range)/i,
  /(?:setrlimit `RLIMIT_[A-Z]+`|setting rlimit type \d+): (?:operation not permitted|invalid argument)/i,
];

/** True where another try ends the same way on this node: the kernel refuses a sysctl or a ulimit of the task. */
export function isRefusedValue(message: string): boolean {
  return REFUSALS.some(refusal => refusal.test(message));
}
