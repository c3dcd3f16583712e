/** Processes by pid and start time: a pid alone may be somebody else's tomorrow. */

/** A process, never named by its pid alone. `startTicks` is field 22 of /proc/PID/stat. Source: proc_pid_stat(5). */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTicks: number;
}

/** Place of `starttime` among the fields after the command's closing parenthesis (which may itself hold spaces and parentheses). */
const START_FIELD = 19;
const STATE_FIELD = 0;

/** The identity in the text of /proc/PID/stat; undefined for a zombie or dead process. Source: proc_pid_stat(5), fields 3 and 22 */
export function parseProcessStat(stat: string): ProcessIdentity | undefined {
  const pid = Number.parseInt(stat, 10);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const startTicks = Number(fields[START_FIELD]);
  const state = fields[STATE_FIELD];
  if (!Number.isInteger(pid) || !Number.isInteger(startTicks) || state === 'Z' || state === 'X') {
    return undefined;
  }
  return { pid, startTicks };
}

export function isSameProcess(left: ProcessIdentity, right: ProcessIdentity | undefined): boolean {
  return left.pid === right?.pid && left.startTicks === right.startTicks;
}
