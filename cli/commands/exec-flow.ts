/** `exec` and `attach`: a person at a process in a task. */
import type { TaskView } from '#model/ports.ts';
import { ClusterError, isClusterError } from '#model/errors.ts';
import { describeEnding, ProcessExit } from '../exit-code.ts';
import { listNamespace, UsageError } from '../options.ts';
import type { Shell } from '../ports.ts';
import { requireRunningTask } from '../target.ts';
import { interact } from './tunnel-flow.ts';
import type { InteractionEnd } from './tunnel-flow.ts';

/** A command that could not be started, as docker has it. */
const NOT_STARTED_CODE = 126;
const DETACHED_CODE = 1;

export interface ExecFlags {
  readonly interactive?: boolean;
  readonly tty?: boolean;
  readonly user?: string;
  readonly workdir?: string;
  readonly env?: readonly string[];
  readonly container?: string;
}

/** @throws ProcessExit with the process's own code */
export async function execInTask(shell: Shell, target: string, command: readonly string[], flags: ExecFlags): Promise<never> {
  const words = command[0] === '--' ? command.slice(1) : command;
  if (words.length === 0) {
    throw new UsageError(`name a command: clusterctl exec ${target} -- ls /`);
  }
  const { tty, stdin } = readStdio(shell, flags);
  const { task } = await findRunning(shell, target, flags.container);
  const client = await shell.connect();
  const size = tty ? shell.terminal.size() : undefined;
  const tunnel = client.openTunnel({
    task: task.id,
    ...inContainer(flags.container),
    spec: {
      kind: 'exec', command: words, tty, stdin, environment: (flags.env ?? []).map(pair => readVariable(pair, shell.environment)),
      ...(flags.user === undefined ? {} : { user: flags.user }),
      ...(flags.workdir === undefined ? {} : { workingDir: flags.workdir }),
      ...(size === undefined ? {} : { size }),
    },
  }, shell.signal);
  const end = await interact(shell, tunnel, { tty, stdin, isDetachable: true }).catch(async (error: unknown) => {
    if (!isClusterError(error, 'INVALID_ARGUMENT')) {
      throw error;
    }
    await shell.terminal.writeError(describeEnding(error, false).text);
    throw new ProcessExit(NOT_STARTED_CODE);
  });
  throw new ProcessExit(end.kind === 'exit' ? end.code : await sayDetached(shell));
}

/** What `-i` and `-t` ask for. @throws ClusterError INVALID_ARGUMENT for a terminal that is not there */
export function readStdio(shell: Shell, flags: { readonly interactive?: boolean; readonly tty?: boolean }): { readonly tty: boolean; readonly stdin: boolean } {
  const tty = flags.tty ?? false;
  const stdin = flags.interactive ?? false;
  if (tty && stdin && !shell.terminal.isInputTerminal) {
    throw new ClusterError('INVALID_ARGUMENT', 'the input device is not a terminal; leave out -t');
  }
  return { tty, stdin };
}

/** @throws ProcessExit with the code of the task's own process, 1 after ctrl-p ctrl-q */
export async function attachToTask(shell: Shell, target: string, flags: { readonly stdin?: boolean; readonly container?: string }): Promise<never> {
  const view = await findRunning(shell, target, flags.container);
  const end = await attach(shell, view, { wantsStdin: flags.stdin ?? true, fromStart: false, ...inContainer(flags.container) });
  throw new ProcessExit(end.kind === 'exit' ? end.code : await sayDetached(shell));
}

/** Docker's words and exit code for ctrl-p ctrl-q. */
async function sayDetached(shell: Shell): Promise<number> {
  await shell.terminal.writeError('read escape sequence\n');
  return DETACHED_CODE;
}

export async function attach(shell: Shell, { task }: TaskView, how: { readonly wantsStdin: boolean; readonly fromStart: boolean; readonly container?: string }): Promise<InteractionEnd> {
  const client = await shell.connect();
  const { tty, stdin: takesInput } = task.companions?.find(companion => companion.name === how.container)?.container ?? task.container;
  const stdin = how.wantsStdin && takesInput;
  const size = tty ? shell.terminal.size() : undefined;
  const tunnel = client.openTunnel({ task: task.id, ...inContainer(how.container), spec: { kind: 'attach', stdin, fromStart: how.fromStart, ...(size === undefined ? {} : { size }) } }, shell.signal);
  return await interact(shell, tunnel, { tty, stdin, isDetachable: true, isProxy: !tty });
}

/** `K=V`, or `K` with the value it has here, as in docker. */
export function readVariable(pair: string, environment: ReadonlyMap<string, string>): { readonly name: string; readonly value: string } {
  const equals = pair.indexOf('=');
  return equals < 0 ? { name: pair, value: environment.get(pair) ?? '' } : { name: pair.slice(0, equals), value: pair.slice(equals + 1) };
}

/** The part of a tunnel's request that names one of the task's containers. */
export function inContainer(name: string | undefined): { readonly container?: string } {
  return name === undefined ? {} : { container: name };
}

/** @param container  may be one that runs before the task does */
export async function findRunning(shell: Shell, target: string, container?: string): Promise<TaskView> {
  const client = await shell.connect();
  const namespace = listNamespace(shell.options);
  return requireRunningTask(target, await client.view(namespace === undefined ? {} : { namespace }), container);
}
