/** `run IMAGE [CMD]`: one container anywhere on the cluster. */
import { ClusterError, isClusterError } from '#model/errors.ts';
import { printable } from '#model/printable.ts';
import type { ControlClient, TaskView } from '#model/ports.ts';
import { isFinished } from '#model/task.ts';
import { describeEnding, ProcessExit } from '../exit-code.ts';
import type { Shell } from '../ports.ts';
import { buildRunApp } from '../run-app.ts';
import type { RunWish } from '../run-app.ts';
import { attach, readStdio } from './exec-flow.ts';
import { streamLogs } from './logs-flow.ts';
import { ProgressLines } from './progress-flow.ts';
import { readWish } from './run-wish-flow.ts';
import type { RunFlags } from './run-wish-flow.ts';
import { watchUntil } from './watch-flow.ts';

/** How long a `run` App stays after its end. */
const KEEP_MS = 3_600_000;
const LATE_POLL_MS = 50;

/** Docker's codes for a container that did not come to run. Source: docker run, "Exit status" */
const REFUSED_CODE = 125;
const NOT_EXECUTABLE_CODE = 126;
const NOT_FOUND_CODE = 127;
/** How long the end of a container is waited for whose attachment broke off. */
const LATE_END_MS = 5_000;

/** @throws ProcessExit with the container's own code, or docker's for one that could not be run */
export async function runContainer(shell: Shell, image: string, command: readonly string[], flags: RunFlags): Promise<never> {
  if (flags.detach !== true) {
    readStdio(shell, flags);
  }
  const wish = await readWish(shell, image, command, flags);
  const built = buildRunApp(wish);
  if (built.kind === 'violations') {
    throw new ClusterError('INVALID_ARGUMENT', 'the container cannot be run so', { violations: built.violations });
  }
  const client = await shell.connect();
  try {
    await requireFreeName(client, wish);
    await client.apply({ requestId: shell.newRequestId(), app: built.app, isDryRun: false, expireAfterEndMs: KEEP_MS });
  } catch (error) {
    await refuse(shell, error);
  }
  try {
    const task = await untilStarted(shell, wish);
    if (flags.detach === true) {
      await shell.terminal.write(`${wish.name}\n`);
      throw new ProcessExit(0);
    }
    throw new ProcessExit(await followToEnd(shell, task, flags.interactive ?? false));
  } finally {
    if (flags.rm === true && flags.detach !== true) {
      await client.deleteApp({ requestId: shell.newRequestId(), namespace: wish.namespace, app: wish.name, withVolumes: false });
    }
  }
}

/** An apply would put the container in the place of all that the App is. @throws ClusterError ALREADY_EXISTS, as docker's conflict of names */
async function requireFreeName(client: ControlClient, { namespace, name }: RunWish): Promise<void> {
  const { apps } = await client.view({ namespace, app: name });
  if (apps.some(app => app.namespace === namespace && app.name === name)) {
    throw new ClusterError('ALREADY_EXISTS', `app ${name} exists already; give another --name, or take it away: clusterctl delete app/${name} -n ${namespace}`);
  }
}

/** What was refused is said, and is docker's 125; a cluster that is not reached stays what it is. */
async function refuse(shell: Shell, error: unknown): Promise<never> {
  if (!(error instanceof ClusterError) || error.code === 'UNAVAILABLE' || error.code === 'DEADLINE_EXCEEDED') {
    throw error;
  }
  await shell.terminal.writeError(describeEnding(error, shell.options.output === 'json').text);
  throw new ProcessExit(REFUSED_CODE);
}

/** The task once it runs, or ran. @throws ProcessExit when it could not be started */
async function untilStarted(shell: Shell, wish: RunWish): Promise<TaskView> {
  const lines = new ProgressLines(shell);
  const startedAtMs = shell.clock.monotonicMs();
  const started = await watchUntil(shell, { namespace: wish.namespace, app: wish.name }, async view => {
    const [task] = view.tasks;
    const [pending] = view.pending;
    if (task !== undefined && (task.state === 'running' || isFinished(task.status?.phase ?? 'pending'))) {
      return task;
    }
    if (shell.clock.monotonicMs() - startedAtMs > 1_000) {
      await lines.draw([`${wish.name}: ${task === undefined ? pending?.reason ?? 'waiting for a node' : describeWait(task)}`]);
    }
    return undefined;
  });
  await lines.wipe();
  if (started.status?.lastExit?.reason !== 'start-failed') {
    return started;
  }
  const { message, lastExit } = started.status;
  await shell.terminal.writeError(`error: ${printable(message)}\n`);
  throw new ProcessExit(lastExit.code ?? startFailureCode(message));
}

/** By what the agent and the runtimes say: of a program that is missing; of one that is no program. */
export function startFailureCode(message: string): number {
  if (/not found in (?:\$PATH|the image)|executable file .* not found/i.test(message)) {
    return NOT_FOUND_CODE;
  }
  return /permission denied|not executable|exec format error/i.test(message) ? NOT_EXECUTABLE_CODE : REFUSED_CODE;
}

/** Shows all that the container writes, from its first byte, and answers its exit code; 0 when the person detached. */
async function followToEnd(shell: Shell, task: TaskView, wantsStdin: boolean): Promise<number> {
  try {
    const end = await attach(shell, task, { wantsStdin, fromStart: true });
    return end.kind === 'exit' ? end.code : 0;
  } catch (error) {
    if (isClusterError(error, 'FAILED_PRECONDITION')) {
      const isRaw = task.task.container.tty && wantsStdin && shell.terminal.isInputTerminal;
      using _raw = isRaw ? await shell.terminal.rawMode() : undefined;
      await streamLogs(shell, task); // it ended before anybody came
    } else if (!isClusterError(error, 'UNAVAILABLE')) {
      throw error;
    }
    return await lateCode(shell, task, error);
  }
}

/** The exit code that the cluster knows. @throws `reason` where there is none */
async function lateCode(shell: Shell, { task }: TaskView, reason: unknown): Promise<number> {
  const deadlineMs = shell.clock.monotonicMs() + LATE_END_MS;
  const client = await shell.connect();
  while (shell.clock.monotonicMs() < deadlineMs) {
    const view = await client.view({ namespace: task.namespace, app: task.app });
    const status = view.tasks.find(one => one.task.id === task.id)?.status;
    if (status?.lastExit !== undefined && isFinished(status.phase)) {
      if (status.lastExit.code !== null) {
        return status.lastExit.code;
      }
      throw new ClusterError('UNAVAILABLE', `the exit code is not known: ${status.lastExit.reason}`);
    }
    await shell.clock.sleep(LATE_POLL_MS, shell.signal);
  }
  throw reason;
}

function describeWait({ state, status }: TaskView): string {
  const reason = [status?.reason ?? '', status?.message ?? ''].filter(text => text !== '').join(': ');
  return reason === '' ? state : `${state} (${reason})`;
}
