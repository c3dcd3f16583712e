/** `port-forward`: connections to ports of this machine end in a task, each through a tunnel of its own. */
import type { Duplex } from 'node:stream';
import { ClusterError } from '#model/errors.ts';
import type { TaskId } from '#model/ids.ts';
import { printable } from '#model/printable.ts';
import type { Tunnel } from '#model/tunnel.ts';
import { formatEndpoint, parseForwardedPort, parseListenAddresses } from '../forwarded-ports.ts';
import type { ForwardedPort } from '../forwarded-ports.ts';
import { listen } from '../listen-socket.ts';
import { UsageError } from '../options.ts';
import type { Shell } from '../ports.ts';
import { findRunning } from './exec-flow.ts';
import { say } from './print-flow.ts';
import { sendBytes, tunnelError } from './tunnel-flow.ts';

export interface PortForwardFlags {
  /** Separated by commas. */
  readonly address?: string;
}

/**
 * Runs until it is interrupted. A connection that fails is told, and the others go on.
 *
 * @throws ClusterError FAILED_PRECONDITION for a target that does not run or a local port that is not to be had, the signal's reason at its end
 */
export async function forwardPorts(shell: Shell, target: string, portTexts: readonly string[], flags: PortForwardFlags): Promise<never> {
  const ports = portTexts.map(parseForwardedPort);
  if (ports.length === 0) {
    throw new UsageError(`name a port: clusterctl port-forward ${target} 8080:80`);
  }
  const addresses = parseListenAddresses(flags.address ?? 'localhost');
  const tasks = new ForwardTask(shell, target);
  await tasks.current();
  using listeners = new DisposableStack();
  for (const port of ports) {
    for (const address of addresses) {
      listeners.use(await openListener(shell, { address, port, tasks }));
    }
  }
  return await new Promise<never>((_, reject) => {
    const end = (): void => { reject(shell.signal.reason as Error); };
    shell.signal.addEventListener('abort', end, { once: true });
    if (shell.signal.aborted) end();
  });
}

interface Forwarding {
  readonly address: string;
  readonly port: ForwardedPort;
  readonly tasks: ForwardTask;
}

async function openListener(shell: Shell, { address, port: { local, remote }, tasks }: Forwarding): Promise<Disposable> {
  const listener = await listen(address, local, connection => { void forward(shell, connection, { local: listener.port, remote }, tasks); });
  if (shell.options.output === 'json') {
    await shell.terminal.write(`${JSON.stringify({ address, localPort: listener.port, remotePort: remote, task: await tasks.current() })}\n`);
  } else {
    await say(shell, `Forwarding from ${formatEndpoint(address, listener.port)} -> ${String(remote)}`);
  }
  return listener;
}

/** One connection, from its first byte to its last; never throws. */
async function forward(shell: Shell, connection: Duplex, { local, remote }: ForwardedPort, tasks: ForwardTask): Promise<void> {
  try {
    await say(shell, `Handling connection for ${String(local)}`);
    const client = await shell.connect();
    const tunnel = client.openTunnel({ task: await tasks.current(), spec: { kind: 'forward', port: remote } }, shell.signal);
    await joinConnection(connection, tunnel);
  } catch (error) {
    tasks.forget();
    if (!shell.signal.aborted) {
      await shell.terminal.writeError(`error: forwarding ${String(local)} -> ${String(remote)}: ${printable(error instanceof Error ? error.message : String(error))}\n`);
    }
  } finally {
    connection.destroy();
  }
}

/** Joins both until each direction has ended, or one side is gone; each takes as fast as the other gives. @throws ClusterError what ended the tunnel before its time */
export async function joinConnection(connection: Duplex, tunnel: Tunnel): Promise<void> {
  connection.once('close', () => { tunnel.close(); });
  sendAll(connection, tunnel).catch(() => { /* the program here is gone, and the tunnel closed; or the tunnel is, and its frames say why */ });
  try {
    let hasEnded = false;
    for await (const frame of tunnel.frames) {
      if (frame.kind === 'error') {
        throw tunnelError(frame);
      }
      if (frame.kind === 'data') {
        await write(connection, frame.bytes);
      } else if (frame.kind === 'eof') {
        hasEnded = true;
        connection.end();
      }
    }
    if (!hasEnded && !connection.destroyed) {
      throw new ClusterError('UNAVAILABLE', 'the connection to the task broke off');
    }
    await written(connection);
  } finally {
    connection.destroy();
    tunnel.close();
  }
}

/** @throws Error when the program at this end is gone before its end */
async function sendAll(connection: Duplex, tunnel: Tunnel): Promise<void> {
  for await (const bytes of connection.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    await sendBytes(tunnel, bytes);
  }
  await tunnel.send({ kind: 'eof' });
}

/** A write that fails ends the connection, which its reader sees. */
async function write(connection: Duplex, bytes: Uint8Array): Promise<void> {
  await new Promise<void>(resolve => { connection.write(bytes, () => { resolve(); }); });
}

/** What was given to it is on its way. */
async function written(connection: Duplex): Promise<void> {
  if (!connection.destroyed && !connection.writableFinished) {
    await new Promise<void>(resolve => { connection.once('finish', resolve).once('close', resolve); });
  }
}

/** The task that connections go to: chosen once, and again after one failed, since it may have been replaced. */
class ForwardTask {
  readonly #shell: Shell;
  readonly #target: string;
  #found: Promise<TaskId> | undefined;

  constructor(shell: Shell, target: string) {
    this.#shell = shell;
    this.#target = target;
  }

  /** @throws ClusterError as `findRunning` */
  async current(): Promise<TaskId> {
    this.#found ??= findRunning(this.#shell, this.#target).then(({ task }) => task.id);
    return await this.#found;
  }

  forget(): void {
    this.#found = undefined;
  }
}
