import { requireCommand, runCommand } from '#kit/command-process.ts';
import { isClusterError } from '#model/errors.ts';
import type { Logger } from '#kit/logger.ts';

const UNANSWERED = ['-p', 'tcp', '--state', 'SYN_SENT'] as const;

/** Forgets udp flows to these addresses, so that a client's next packet finds a living endpoint. Without the `conntrack` program they end by their time-out of 30 s. Source: conntrack(8) */
export async function forgetUdpFlows(addresses: readonly string[], log: Logger): Promise<void> {
  await whereInstalled(async () => { await forgetFlows(['-p', 'udp'], addresses); }, log);
}

/**
 * Forgets tcp connections to these addresses, in whatever state they are. The next packet of a client, a repeated one too, goes to a living endpoint:
 * its first one connects there, any other is answered with a reset. Without the `conntrack` program they end by the client's own time-out.
 * Source: nf_conntrack-sysctl.rst, nf_conntrack_tcp_loose
 */
export async function forgetTcpFlows(addresses: readonly string[], log: Logger): Promise<void> {
  await whereInstalled(async () => { await forgetFlows(['-p', 'tcp'], addresses); }, log);
}

/**
 * Forgets tcp connections that nobody answered, to those addresses that `choose` takes from the listing of all: the client's next packet finds a
 * living endpoint. Without the `conntrack` program they end by their time-out of 120 s. Source: conntrack(8)
 */
export async function forgetUnansweredFlows(choose: (listing: string) => readonly string[], log: Logger): Promise<void> {
  await whereInstalled(async () => { await forgetFlows(UNANSWERED, choose(await requireCommand('conntrack', ['-L', ...UNANSWERED]))); }, log);
}

/** Exit code 1 means that there was none. */
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
