/** Lists of cpus as the kernel writes them: `0-1,3`. Source: cpuset(7), "List format" */
import { quoted } from './printable.ts';
import type { Parsed } from './quantity.ts';

/** No machine has a cpu with a higher number. Source: Linux, kernel/Kconfig, NR_CPUS at most 8192 */
const MAX_CPU = 8191;

/** The list with its cpus in order, each once, neighbours joined. */
export function parseCpuset(text: string): Parsed<string> {
  const cpus = cpusOf(text);
  if (cpus === undefined) {
    return { problem: `${quoted(text)} is not a list of cpus; write 0, 0-1 or 0-1,3 (each at most ${String(MAX_CPU)})` };
  }
  return { value: formatCpuset(cpus) };
}

/** The cpus of a list, ascending; undefined for text that is none. */
export function cpusOf(text: string): readonly number[] | undefined {
  const cpus = new Set<number>();
  for (const part of text.split(',')) {
    const match = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part.trim());
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? match?.[1]);
    if (match === null || last < first || last > MAX_CPU) {
      return undefined;
    }
    for (let cpu = first; cpu <= last; cpu += 1) {
      cpus.add(cpu);
    }
  }
  return [...cpus].sort((left, right) => left - right);
}

/** The first cpu of `wanted` that `present` has not; undefined when it has all, or when `present` is not known (empty). */
export function missingCpu(wanted: string, present: string): number | undefined {
  const there = cpusOf(present);
  return there === undefined ? undefined : (cpusOf(wanted) ?? []).find(cpu => !there.includes(cpu));
}

function formatCpuset(cpus: readonly number[]): string {
  const ranges: { first: number; last: number }[] = [];
  for (const cpu of cpus) {
    const open = ranges.at(-1);
    if (open !== undefined && cpu === open.last + 1) {
      open.last = cpu;
    } else {
      ranges.push({ first: cpu, last: cpu });
    }
  }
  return ranges.map(({ first, last }) => (first === last ? String(first) : `${String(first)}-${String(last)}`)).join(',');
}
