import { readFileSync } from 'node:fs';
import { parseTaskLinkCounters } from './link-counters.ts';
import type { LinkCounters } from './link-counters.ts';

/** Counters of every link of this process's network namespace; not by /sys, which shows the namespace that mounted it. */
export function readTaskLinkCounters(): ReadonlyMap<string, LinkCounters> {
  return parseTaskLinkCounters(readFileSync('/proc/self/net/dev', 'utf8'));
}
