import { runCommand } from '#kit/command-process.ts';
import { isClusterError } from '#model/errors.ts';
import type { Logger } from '#kit/logger.ts';

/** Forgets udp flows to these addresses, so that a client's next packet finds a living endpoint. Without the `conntrack` program they end by their time-out of 30 s. Source: conntrack(8) */
export async function forgetUdpFlows(addresses: readonly string[], log: Logger): Promise<void> {
  for (const address of addresses) {
    try {
      // Exit code 1 means that there was none.
      await runCommand('conntrack', ['-D', '-p', 'udp', '--reply-src', address]);
    } catch (error) {
      if (!isClusterError(error, 'FAILED_PRECONDITION')) {
        throw error;
      }
      log.debug({ address }, 'udp flows stay until they time out: the program conntrack is not installed');
      return;
    }
  }
}
