import type { ProcessIdentity } from '#kit/process-stat-parse.ts';
import { ClusterError } from '#model/errors.ts';
import type { TaskId } from '#model/ids.ts';
import { printable } from '#model/printable.ts';
import type { Tunnel, TunnelSpec } from '#model/tunnel.ts';
import type { LogQuery } from '../logs/log-fs.ts';
import type { ContainerRuntime } from '../runtime/ports.ts';
import { joinConnection } from './forward-flow.ts';
import { withEarlierOutput } from './earlier-output-flow.ts';
import { sendLogs } from './logs-flow.ts';
import type { ContainerFiles, LogReader, PortDialer, TunnelTarget } from './ports.ts';
import { joinProcess, OWN_PROCESS, sendBytes } from './process-flow.ts';
import { sendStats } from './stats-flow.ts';
import type { StatsSource } from './stats-flow.ts';

/** An open tunnel and its purpose. */
export interface OpenTunnel {
  readonly tunnel: Tunnel;
  readonly spec: TunnelSpec;
  readonly target: TunnelTarget;
}

export interface TunnelServices {
  readonly runtime: Pick<ContainerRuntime, 'exec' | 'attach'>;
  readonly files: ContainerFiles;
  readonly ports: PortDialer;
  readonly logs: LogReader;
  readonly stats: StatsSource;
  /** Returns all details that this node has of a task. */
  readonly inspect: (task: TaskId) => Promise<object>;
}

/**
 * Serves the request of a tunnel and closes it. The client gets a refusal or failure as an error
 * frame.
 * @param signal  aborts when the client is gone, the agent stops, or the task is no longer ours
 */
export async function serveTunnel(open: OpenTunnel, services: TunnelServices, signal: AbortSignal): Promise<void> {
  await answered(open.tunnel, async () => { await serve(open, services, signal); }, signal);
}

/** Closes the tunnel after `work`; a failure becomes the last frame. */
export async function answered(tunnel: Tunnel, work: () => Promise<void>, signal: AbortSignal): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!signal.aborted) {
      const known = error instanceof ClusterError ? error : new ClusterError('INTERNAL', error instanceof Error ? error.message : String(error));
      await tunnel.send({ kind: 'error', code: known.code, message: printable(known.message) }).catch(() => { /* the client is gone too */ });
    }
  } finally {
    tunnel.close();
  }
}

async function serve({ tunnel, spec, target }: OpenTunnel, services: TunnelServices, signal: AbortSignal): Promise<void> {
  switch (spec.kind) {
    case 'logs':
      await sendLogs(tunnel, spec, services.logs.read(target.logPath, queryOf(spec), target.ended, AbortSignal.any([signal, gone(tunnel)])));
      return;
    case 'exec':
      requireNotPaused(target);
      await joinProcess(tunnel, await services.runtime.exec(target.containerId, spec, signal), OWN_PROCESS, signal);
      return;
    case 'attach':
      await attach({ tunnel, spec, target }, services, signal);
      return;
    case 'copy':
      await copy(tunnel, spec, { container: requireRunning(target), files: services.files }, signal);
      return;
    case 'debug':
      requireNotPaused(target);
      await target.debug(spec, async streams => { await joinProcess(tunnel, streams, OWN_PROCESS, signal); }, signal);
      return;
    case 'forward':
      await joinConnection(tunnel, await services.ports.dial(target.networkNamespacePath, spec.port, signal), signal);
      return;
    case 'stats':
      await sendStats(tunnel, spec, services.stats, AbortSignal.any([signal, gone(tunnel)]));
      return;
    case 'inspect':
      await sendDocument(tunnel, await services.inspect(target.task));
  }
}

async function attach({ tunnel, spec, target }: OpenTunnel & { readonly spec: { readonly kind: 'attach' } }, services: TunnelServices, signal: AbortSignal): Promise<void> {
  const streams = await services.runtime.attach(target.containerId, signal);
  try {
    if (spec.size !== undefined && !spec.fromStart) {
      await streams.resize(spec.size, true);
    }
    await joinProcess(tunnel, spec.fromStart ? withEarlierOutput(streams, stop => services.logs.read(target.logPath, { follow: true }, target.ended, stop)) : streams, target, signal);
  } finally {
    streams.close();
  }
}

async function copy(
  tunnel: Tunnel, spec: TunnelSpec & { readonly kind: 'copy' }, { container, files }: { readonly container: ProcessIdentity; readonly files: ContainerFiles }, signal: AbortSignal,
): Promise<void> {
  if (spec.direction === 'out') {
    for await (const bytes of files.archive(container, spec.path, AbortSignal.any([signal, gone(tunnel)]))) {
      await sendBytes(tunnel, 'stdout', bytes);
    }
    await tunnel.send({ kind: 'eof' });
    return;
  }
  await files.unpack(container, spec.path, inputOf(tunnel, signal));
  await tunnel.send({ kind: 'exit', code: 0 });
}

/**
 * Yields the bytes of the client until its eof. @throws ClusterError if it went away before, the
 * reason of the signal on abort
 */
export async function* inputOf(tunnel: Pick<Tunnel, 'frames'>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const frames = tunnel.frames[Symbol.asyncIterator]();
  for (;;) {
    signal.throwIfAborted();
    const next = await unlessAborted(frames.next(), signal);
    if (next.done === true) {
      throw new ClusterError('UNAVAILABLE', 'the client went away before its archive ended');
    }
    const frame = next.value;
    if (frame.kind === 'eof') {
      return;
    }
    if (frame.kind === 'data') {
      yield frame.bytes;
    }
  }
}

/**
 * Returns `work`, or throws the reason of the signal. It leaves no listener at the signal: a race
 * against one shared promise would keep every answer in memory.
 */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let onAbort = (): void => undefined;
  try {
    return await new Promise<T>((resolve, reject) => {
      onAbort = () => { reject(signal.reason as Error); };
      signal.addEventListener('abort', onAbort, { once: true });
      work.then(resolve, reject);
    });
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function requireRunning(target: TunnelTarget): ProcessIdentity {
  if (target.container === undefined) {
    throw new ClusterError('FAILED_PRECONDITION', `container ${target.containerId} is not running`);
  }
  return target.container;
}

function queryOf({ follow, tail, sinceMs }: TunnelSpec & { readonly kind: 'logs' }): LogQuery {
  return { follow, ...(tail === undefined ? {} : { tail }), ...(sinceMs === undefined ? {} : { sinceMs }) };
}

async function sendDocument(tunnel: Tunnel, document: object): Promise<void> {
  await sendBytes(tunnel, 'stdout', Buffer.from(JSON.stringify(document)));
  await tunnel.send({ kind: 'eof' });
}

/** A process that joins a frozen control group would never run. */
function requireNotPaused(target: TunnelTarget): void {
  if (target.isPaused) {
    throw new ClusterError('FAILED_PRECONDITION', `task ${target.task} is paused; unpause it first`);
  }
}

/** Returns a signal that aborts when the client, which sends nothing, closes its side. */
export function gone(tunnel: Tunnel): AbortSignal {
  const controller = new AbortController();
  void (async () => {
    for await (const frame of tunnel.frames) {
      if (frame.kind === 'error') {
        break;
      }
    }
  })().catch(() => undefined).finally(() => { controller.abort(); });
  return controller.signal;
}
