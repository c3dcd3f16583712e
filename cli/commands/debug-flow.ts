/** `debug TARGET [CMD]`: a container of tools beside a running one. */
import { describeEnding, ProcessExit } from '../exit-code.ts';
import { isClusterError } from '#model/errors.ts';
import type { Shell } from '../ports.ts';
import { findRunning, inContainer, readStdio, readVariable } from './exec-flow.ts';
import { startFailureCode } from './run-flow.ts';
import { interact } from './tunnel-flow.ts';

export interface DebugFlags {
  readonly interactive?: boolean;
  readonly tty?: boolean;
  readonly image?: string;
  readonly env?: readonly string[];
  readonly container?: string;
}

/** Small, and with the tools that are missing elsewhere. */
const DEFAULT_IMAGE = 'busybox:latest';
/** A container that could not be run, as docker run has it. */
const REFUSED_CODE = 125;

/** @throws ProcessExit with the process's own code, 0 when the person detached */
export async function debugTask(shell: Shell, target: string, command: readonly string[], flags: DebugFlags): Promise<never> {
  const { tty, stdin } = readStdio(shell, flags);
  const { task } = await findRunning(shell, target, flags.container);
  const client = await shell.connect();
  const size = tty ? shell.terminal.size() : undefined;
  const tunnel = client.openTunnel({
    task: task.id,
    ...inContainer(flags.container),
    spec: {
      kind: 'debug', image: flags.image ?? DEFAULT_IMAGE, command: command[0] === '--' ? command.slice(1) : command, tty, stdin,
      environment: (flags.env ?? []).map(pair => readVariable(pair, shell.environment)), ...(size === undefined ? {} : { size }),
    },
  }, shell.signal);
  const end = await interact(shell, tunnel, { tty, stdin, isDetachable: true, isProxy: !tty }).catch(async (error: unknown) => {
    const code = refusalCode(error);
    if (code === undefined) {
      throw error;
    }
    await shell.terminal.writeError(describeEnding(error, shell.options.output === 'json').text);
    throw new ProcessExit(code);
  });
  throw new ProcessExit(end.kind === 'exit' ? end.code : 0);
}

/** As `run` has it; undefined: not about this container. */
function refusalCode(error: unknown): number | undefined {
  if (isClusterError(error, 'FAILED_PRECONDITION') && error.message.startsWith('command ')) {
    return startFailureCode(error.message);
  }
  return isClusterError(error, 'INVALID_ARGUMENT') || isClusterError(error, 'NOT_FOUND') ? REFUSED_CODE : undefined;
}
