/** `kill`, and `stop` of what `run` made: asked for at the container itself, through an attachment. */
import { ClusterError } from '#model/errors.ts';
import type { TaskView } from '#model/ports.ts';
import type { Tunnel, TunnelFrame } from '#model/tunnel.ts';
import { listNamespace } from '../options.ts';
import type { Shell } from '../ports.ts';
import { describeFound, requireWorkload } from '../target.ts';
import type { Workload } from '../target.ts';
import { tunnelError } from './tunnel-flow.ts';

/** A process that a signal does not end is not waited for longer. */
const SIGNALLED_MS = 500;
const KILLED_MS = 10_000;

/** Signals every running or paused task of the targets. @throws ClusterError FAILED_PRECONDITION where none runs */
export async function killTargets(shell: Shell, names: readonly string[], flags: { readonly signal?: string }): Promise<void> {
  const client = await shell.connect();
  const namespace = listNamespace(shell.options);
  const view = await client.view(namespace === undefined ? {} : { namespace });
  const signal = (flags.signal ?? 'KILL').toUpperCase();
  for (const { name, workload } of names.map(one => ({ name: one, workload: requireWorkload(one, view) }))) {
    const running = workload.tasks.filter(hasProcess);
    if (running.length === 0) {
      throw new ClusterError('FAILED_PRECONDITION', `${describeFound(workload.found)} is not running`);
    }
    await Promise.all(running.map(async view => {
      const isEnding = isEndingSignal(signal, view.task.container.stopSignal);
      await endTask(shell, view, { frame: { kind: 'signal', signal }, isEnding, waitMs: /^(?:SIG)?KILL$/.test(signal) ? KILLED_MS : SIGNALLED_MS });
    }));
    await shell.terminal.write(`${name}\n`);
  }
}

/** Ends a container as docker does: its stop signal, and after the grace period KILL. Its node does that, also without us, as long as its agent lives. One that ended is fine. */
export async function stopContainers(shell: Shell, { tasks }: Workload, graceMs: number | undefined): Promise<void> {
  await Promise.all(tasks.filter(hasProcess).map(async view => {
    const waitMs = (graceMs ?? view.task.container.stopGracePeriodMs) + KILLED_MS;
    const hasEnded = await endTask(shell, view, { frame: { kind: 'stop', ...(graceMs === undefined ? {} : { graceMs }) }, isEnding: true, waitMs });
    if (!hasEnded) throw new ClusterError('DEADLINE_EXCEEDED', `task ${view.task.id} has not ended ${String(waitMs / 1000)} s after it was told to; an agent that restarts meanwhile forgets it: ask again`);
  }));
}

interface Asked {
  readonly frame: TunnelFrame;
  /** What is to end a paused process thaws it, as docker does. */
  readonly isEnding: boolean;
  /** For its end. */
  readonly waitMs: number;
}

/** Asks, and waits for the end; false when it did not come in time. */
async function endTask(shell: Shell, { task, state }: TaskView, { frame, isEnding, waitMs }: Asked): Promise<boolean> {
  const client = await shell.connect();
  const tunnel = client.openTunnel({ task: task.id, spec: { kind: 'attach', stdin: false, fromStart: false } }, shell.signal);
  const stop = new AbortController();
  try {
    const ended = untilEnd(tunnel);
    ended.catch(() => { /* raced below */ });
    await tunnel.send(frame);
    if (state === 'paused' && isEnding) {
      await client.setPaused({ requestId: shell.newRequestId(), tasks: [task.id], isPaused: false });
    }
    const late = shell.clock.sleep(waitMs, AbortSignal.any([shell.signal, stop.signal]));
    late.catch(() => { /* stopped: the process ended first */ });
    return await Promise.race([ended.then(() => true), late.then(() => false)]);
  } finally {
    stop.abort();
    tunnel.close();
  }
}

/** Source: moby, daemon/kill.go, killWithSignal: KILL and the stop signal resume a paused container */
function isEndingSignal(signal: string, stopSignal = 'TERM'): boolean {
  const bare = (name: string): string => name.toUpperCase().replace(/^SIG/, '');
  return ['KILL', bare(stopSignal)].includes(bare(signal));
}

function hasProcess({ state }: TaskView): boolean {
  return state === 'running' || state === 'paused';
}

async function untilEnd(tunnel: Tunnel): Promise<void> {
  for await (const frame of tunnel.frames) {
    if (frame.kind === 'error' && frame.code !== 'UNAVAILABLE') {
      throw tunnelError(frame);
    }
    if (frame.kind === 'exit' || frame.kind === 'error') {
      return;
    }
  }
}
