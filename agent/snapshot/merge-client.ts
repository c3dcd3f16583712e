import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { DiskPressureError, diskAnswer } from '../disk-pressure.ts';
import type { MergeFailure } from './tree-merge-fs.ts';
import { workerEntryUrl } from './worker-entry.ts';

export interface MergeOrder {
  /** Directories of the layers, lowest first. */
  readonly layers: readonly string[];
  /** An empty directory. */
  readonly target: string;
}

/** Copies the layers into `target` in a thread. @throws what made it impossible, DiskPressureError among it; the signal's reason */
export async function mergeInThread(order: MergeOrder, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  // Descriptors are opened and closed by calls that Node knows nothing of.
  const worker = new Worker(workerEntryUrl('merge-worker', import.meta.url), { workerData: order, trackUnmanagedFds: false });
  try {
    const [failure] = await once(worker, 'message', { signal }) as [MergeFailure | undefined];
    if (failure !== undefined) throw explain(failure);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    // Only then does nobody write into the target any more.
    await worker.terminate();
  }
}

function explain({ message, code }: MergeFailure): Error {
  const error = Object.assign(new Error(message), code === undefined ? {} : { code });
  const answer = diskAnswer(error);
  return answer === undefined ? error : new DiskPressureError(answer, error);
}
