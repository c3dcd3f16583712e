import { requireCommand, runCommand } from '#kit/command-process.ts';
import { isClusterError } from '#model/errors.ts';
import type { Logger } from '#kit/logger.ts';

const UNANSWERED = ['-p', 'tcp', '--state', 'SYN_SENT'] as const;

/**
 * Deletes the conntrack entries of UDP flows to these addresses, so that the next packet of a
 * client reaches a live endpoint.
 * Without the `conntrack` program they expire after 30 s. Source: conntrack(8)
 */
export async function forgetUdpFlows(addresses: readonly string[], log: Logger): Promise<void> {
  await whereInstalled(async () => { await forgetFlows(['-p', 'udp'], addresses); }, log);
}

/**
 * Deletes the conntrack entries of TCP connections to these addresses, in any state. The next
 * packet of a client, also a retransmission, reaches a live endpoint: a SYN connects there, any
 * other packet is answered with a reset.
 * Without the `conntrack` program the connections end by the time-out of the client.
 * Source: nf_conntrack-sysctl.rst, nf_conntrack_tcp_loose
 */
export async function forgetTcpFlows(addresses: readonly string[], log: Logger): Promise<void> {
  await whereInstalled(async () => { await forgetFlows(['-p', 'tcp'], addresses); }, log);
}

/**
 * Deletes the conntrack entries of unanswered TCP connections to the addresses that `choose`
 * selects from the listing. The next packet of the client reaches a live endpoint.
 * Without the `conntrack` program they expire after 120 s. Source: conntrack(8)
 */
export async function forgetUnansweredFlows(choose: (listing: string) => readonly string[], log: Logger): Promise<void> {
  await whereInstalled(async () => { await forgetFlows(UNANSWERED, choose(await requireCommand('conntrack', ['-L', ...UNANSWERED]))); }, log);
}

/** Exit code 1 means that no entry matched. */
async function forgetFlows(kind: readonly string[], addresses: readonly string[]): Promise<void> {
  for (const address of addresses) {
    await runCommand('conntrack', ['-D', ...kind, '--reply-src', address]);
  }
}

async function whereInstalled(work: () => Promise<void>, log: Logger): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isClusterError(error, 'FAILED_PRECONDITION')) throw error;
    log.debug({ err: error }, 'flows to endpoints that ended stay until they time out');
  }
}
