/** `node replace`: fence the old machine of a node, then print the token of the new one. */
import { isClusterError } from '#model/errors.ts';
import type { ReplaceNodeAnswer } from '#model/ports.ts';
import { formatTime } from '../format/age.ts';
import { readDurationFlag, UsageError } from '../options.ts';
import type { Shell } from '../ports.ts';
import { readNode } from './node-flow.ts';
import { printPlain } from './print-flow.ts';

export interface ReplaceFlags {
  readonly ttl?: string;
  /** Also a node that is ready and has tasks or data. */
  readonly force?: boolean;
  /** The old machine is off for certain. */
  readonly confirmLost?: boolean;
}

const MAX_TOKEN_MS = 3_600_000;
const POLL_MS = 1_000;

/** Waits until no task of the old machine can run any more. @throws ClusterError FAILED_PRECONDITION for a ready node with tasks, without `force` */
export async function replaceNode(shell: Shell, name: string, flags: ReplaceFlags): Promise<void> {
  const ttlMs = readDurationFlag('--ttl', flags.ttl ?? '1h');
  if (ttlMs < 1_000 || ttlMs > MAX_TOKEN_MS) {
    throw new UsageError('--ttl must be 1s..1h');
  }
  const node = readNode(name);
  const client = await shell.connect();
  let shown = '';
  for (;;) {
    const answer = await client.replaceNode({ node, ttlMs, isForced: flags.force === true });
    if (answer.token !== '') {
      await printToken(shell, node, answer);
      return;
    }
    // The time that is left changes with each answer.
    const reason = answer.pending.replaceAll(/\d+ s/g, '');
    if (shown !== reason) await shell.terminal.writeError(`waiting: ${answer.pending}\n`);
    shown = reason;
    if (flags.confirmLost === true) {
      await client.confirmLost({ requestId: shell.newRequestId(), node }).catch((error: unknown) => {
        // The node is still ready until its missing heartbeats are noticed, or it was removed meanwhile.
        if (!isClusterError(error, 'FAILED_PRECONDITION') && !isClusterError(error, 'NOT_FOUND')) throw error;
      });
    }
    await shell.clock.sleep(POLL_MS, shell.signal);
  }
}

async function printToken(shell: Shell, node: string, { token, expiresAtMs }: ReplaceNodeAnswer): Promise<void> {
  if (shell.options.output === 'json' || shell.options.output === 'yaml') {
    await printPlain(shell, { node, token, expiresAt: formatTime(expiresAtMs) });
    return;
  }
  if (!shell.options.isQuiet) {
    await shell.terminal.writeError(`node/${node} is removed; on the new machine: clusterctl join CONTROLLER:7403 --node ${node} --token TOKEN\n`);
  }
  await shell.terminal.write(`${token}\n`);
}
