/** What went through the links of this network namespace. Source: proc_pid_net(5), /proc/net/dev: 8 columns received, 8 sent. */

/** Seen from a task: `received` is what it got. */
export interface LinkCounters {
  readonly receivedBytes: number;
  readonly receivedPackets: number;
  readonly sentBytes: number;
  readonly sentPackets: number;
}

const SENT_BYTES_COLUMN = 8;
const SENT_PACKETS_COLUMN = 9;

/** By the name of the link. Its far end is the task's: what the link sent, the task received. */
export function parseTaskLinkCounters(text: string): ReadonlyMap<string, LinkCounters> {
  const found = new Map<string, LinkCounters>();
  for (const line of text.split('\n')) {
    const [, name, rest] = /^\s*([^\s:]+):\s*(.*)$/.exec(line) ?? [];
    if (name !== undefined && rest !== undefined) {
      const columns = rest.trim().split(/\s+/).map(Number);
      found.set(name, {
        receivedBytes: columns[SENT_BYTES_COLUMN] ?? 0, receivedPackets: columns[SENT_PACKETS_COLUMN] ?? 0,
        sentBytes: columns[0] ?? 0, sentPackets: columns[1] ?? 0,
      });
    }
  }
  return found;
}
