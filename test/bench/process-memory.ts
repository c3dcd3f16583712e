/** Memory of processes, as the kernel counts it. */
import { readFileSync } from 'node:fs';

const KIB_PER_MIB = 1_024;

export function rssMib(pid: number): number {
  return Math.round(kibOf(`/proc/${String(pid)}/status`, 'VmRSS') / KIB_PER_MIB);
}

/** Shared pages count by the share of this process. Source: proc_pid_smaps(5) */
export function pssKib(pid: number): number {
  return kibOf(`/proc/${String(pid)}/smaps_rollup`, 'Pss');
}

function kibOf(file: string, field: string): number {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(file, 'utf8'));
  if (match === null) {
    throw new Error(`${file} has no ${field}`);
  }
  return Number(match[1]);
}
