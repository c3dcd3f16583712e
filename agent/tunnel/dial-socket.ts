import { stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Worker } from 'node:worker_threads';
import { ClusterError } from '#model/errors.ts';
import type { SocketAnswer, SocketRequest } from './dial-worker.ts';
import type { PortDialer } from './ports.ts';

/**
 * Number of threads in the pool of libuv, which must all start in the namespace of the machine
 * before a worker leaves it. Source: libuv, threadpool
 */
const POOL_THREADS = 4;
const CONNECT_TIMEOUT_MS = 5000;

/**
 * Connects to ports in containers: a worker opens the socket in their namespace, and the main
 * thread uses it.
 */
export class SlotDialer implements PortDialer {
  #worker: Promise<Worker> | undefined;
  readonly #waiting = new Map<number, (answer: SocketAnswer) => void>();
  #nextKey = 1;

  async dial(networkNamespacePath: string, port: number, signal: AbortSignal): Promise<Duplex> {
    signal.throwIfAborted();
    if (!Number.isInteger(port) || port < 1 || port > 65_535) {
      throw new ClusterError('INVALID_ARGUMENT', `port ${String(port)} is not in 1..65535`);
    }
    const answer = await this.#ask(networkNamespacePath);
    if ('message' in answer) {
      throw new ClusterError('FAILED_PRECONDITION', `the container has no network: ${answer.message}`);
    }
    return await connect(new Socket({ fd: answer.fd, allowHalfOpen: true }), port, signal);
  }

  async #ask(networkNamespacePath: string): Promise<SocketAnswer> {
    // A worker that did not start is not kept: the next call starts another one.
    this.#worker ??= this.#start().catch((error: unknown) => {
      this.#worker = undefined;
      throw error;
    });
    const worker = await this.#worker;
    const key = this.#nextKey;
    this.#nextKey += 1;
    const request: SocketRequest = { key, networkNamespacePath };
    return await new Promise(resolve => {
      this.#waiting.set(key, resolve);
      worker.ref();
      worker.postMessage(request);
    });
  }

  async #start(): Promise<Worker> {
    await Promise.all(Array.from({ length: POOL_THREADS }, () => stat('/')));
    const worker = new Worker(workerUrl(), { trackUnmanagedFds: false });
    worker.on('message', (answer: SocketAnswer) => {
      this.#waiting.get(answer.key)?.(answer);
      this.#waiting.delete(answer.key);
      if (this.#waiting.size === 0) {
        worker.unref(); // An idle worker does not keep the process alive.
      }
    });
    // Without a free descriptor the thread exits at its start: the next call starts another one.
    worker.on('error', (error: Error) => {
      this.#worker = undefined;
      this.#waiting.forEach((answer, key) => { answer({ key, message: error.message }); });
      this.#waiting.clear();
    });
    worker.unref();
    return worker;
  }
}

async function connect(socket: Socket, port: number, signal: AbortSignal): Promise<Socket> {
  const onAbort = (): void => { socket.destroy(new Error('aborted')); };
  signal.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(() => { socket.destroy(new Error('timed out')); }, CONNECT_TIMEOUT_MS);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.connect({ host: '127.0.0.1', port, family: 4 }, () => { resolve(); });
    });
    socket.on('error', () => { /* reset by the container: reading ends, which the client sees */ });
    return socket;
  } catch (error) {
    const isRefused = (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
    throw new ClusterError('UNAVAILABLE', isRefused ? `connection refused: nothing listens on port ${String(port)} in the container` : `nothing answers on port ${String(port)} in the container`, { cause: error });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

/**
 * Returns the file of the worker: beside this one in the source, beside the program in the bundle.
 */
function workerUrl(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? './dial-worker.ts' : './dial-worker.mjs', import.meta.url);
}
