import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { ProcessIdentity } from '#kit/process-stat-parse.ts';
import { ClusterError } from '#model/errors.ts';
import { workerEntryUrl } from '../snapshot/worker-entry.ts';
import type { CopyAnswer, CopyCommand, CopyOrder } from './container-files-worker.ts';
import type { ContainerFiles } from './ports.ts';

/** Maximum of copies: each uses a thread, also while its disk does not answer. */
const COPIES_AT_ONCE = 16;
/**
 * Heap limit of a thread, which holds one piece of the archive and the file names of one directory
 * per level.
 */
const MAX_HEAP_MIB = 128;

/**
 * Reads and writes files of containers in one thread per copy: a disk or a mount of a container
 * that blocks does not block others.
 */
export class ContainerFilesClient implements ContainerFiles {
  #threads = 0;

  async *archive(container: ProcessIdentity, path: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    using thread = this.#start({ direction: 'out', container, path }, signal);
    for (;;) {
      const bytes = await thread.ask({ kind: 'give' });
      if (bytes === undefined) return;
      yield bytes;
    }
  }

  async unpack(container: ProcessIdentity, path: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    using thread = this.#start({ direction: 'in', container, path });
    for await (const bytes of chunks) {
      await thread.ask({ kind: 'take', bytes });
    }
    await thread.ask({ kind: 'take' });
  }

  #start(order: CopyOrder, signal?: AbortSignal): CopyThread {
    if (this.#threads >= COPIES_AT_ONCE) {
      throw new ClusterError('RESOURCE_EXHAUSTED', `this node makes ${String(COPIES_AT_ONCE)} copies of files already; try again when one has ended`);
    }
    const thread = new CopyThread(order, () => { this.#threads -= 1; }, signal);
    this.#threads += 1;
    return thread;
  }
}

class CopyThread {
  readonly #worker: Worker;
  readonly #over: AbortSignal;

  constructor(order: CopyOrder, onEnd: () => void, signal: AbortSignal | undefined) {
    const ended = new AbortController();
    this.#over = signal === undefined ? ended.signal : AbortSignal.any([signal, ended.signal]);
    // Node.js does not know the descriptors that these calls open and close.
    this.#worker = new Worker(workerEntryUrl('container-files-worker', import.meta.url), {
      workerData: order, trackUnmanagedFds: false, resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MIB },
    });
    let lastWords = 'it ended';
    this.#worker.on('error', error => { lastWords = error instanceof Error ? error.message : String(error); });
    this.#worker.once('exit', () => {
      ended.abort(new ClusterError('UNAVAILABLE', `the thread that copies is gone: ${lastWords}`));
      onEnd();
    });
  }

  /**
   * Returns the bytes of the answer to `command`. @throws ClusterError, or the reason of the signal
   */
  async ask(command: CopyCommand): Promise<Uint8Array | undefined> {
    this.#over.throwIfAborted();
    const answered = once(this.#worker, 'message', { signal: this.#over });
    this.#worker.postMessage(command);
    try {
      const [answer] = await answered as [CopyAnswer];
      if (!('message' in answer)) return answer.bytes;
      throw answer.code === undefined ? new Error(answer.message) : new ClusterError(answer.code, answer.message);
    } catch (error) {
      this.#over.throwIfAborted();
      throw error;
    }
  }

  /** Lets the thread close its descriptors and exit, once a blocking call has returned. */
  [Symbol.dispose](): void {
    this.#worker.postMessage({ kind: 'stop' } satisfies CopyCommand);
  }
}
