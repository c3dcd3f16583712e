import { readFile } from 'node:fs/promises';
import { parseTaskLinkCounters } from './link-counters.ts';
import type { LinkCounters } from './link-counters.ts';

/** Counters of every link of this process's network namespace; not by /sys, which shows the namespace that mounted it. */
export async function readTaskLinkCounters(): Promise<ReadonlyMap<string, LinkCounters>> {
  return parseTaskLinkCounters(await readFile('/proc/self/net/dev', 'utf8'));
}
