import { Worker } from 'node:worker_threads';
import type { Digest } from '#model/digest.ts';
import { ClusterError } from '#model/errors.ts';
import type { ErrorCode } from '#model/errors.ts';
import type { RegistryLogin } from '#model/node-images.ts';
import type { RegistrySettings } from '#registry/registry-settings-parse.ts';
import { DiskPressureError } from '../disk-pressure.ts';
import { workerEntryUrl } from '../snapshot/worker-entry.ts';
import type { Platform } from './platform.ts';
import type { LocalImage, PullProgress, PullRequest } from './ports.ts';

/** Settings that the thread gets at its start. */
export interface PullWorkerSettings {
  readonly statePath: string;
  /** Prefix of temporary names; unique to this start of the thread. */
  readonly prefix: string;
  readonly platform: Platform;
  /** Number of layers that are unpacked at the same time. */
  readonly concurrency: number;
  readonly idleMs: number;
  readonly stallMs?: number;
  readonly caPem?: string;
  readonly registries: RegistrySettings;
}

/** A login, and its namespace. */
export interface PullLogin extends RegistryLogin {
  readonly namespace: string;
}

export type PullCommand =
  | { readonly kind: 'pull'; readonly id: number; readonly image: string; readonly digest: Digest; readonly login?: PullLogin }
  | { readonly kind: 'abort'; readonly id: number };

export type PullReport =
  | { readonly kind: 'progress'; readonly id: number; readonly progress: PullProgress }
  | { readonly kind: 'done'; readonly id: number; readonly image: LocalImage }
  | { readonly kind: 'failed'; readonly id: number; readonly code: ErrorCode; readonly message: string; readonly isDiskFull?: true };

interface Waiting {
  readonly worker: Worker;
  readonly resolve: (image: LocalImage) => void;
  readonly reject: (error: Error) => void;
  readonly onProgress: (progress: PullProgress) => void;
}

const MAX_HEAP_MIB = 128;

/**
 * Runs the pull thread, which starts with the first pull and exits after `idleMs` without work.
 * If the thread dies, its pulls fail with UNAVAILABLE. An aborted pull rejects after the thread
 * cleaned up.
 */
export class PullClient {
  readonly #settings: Omit<PullWorkerSettings, 'prefix'>;
  readonly #prefix: string;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #starts = 0;
  #pulls = 0;
  #idle: NodeJS.Timeout | undefined;

  constructor(settings: Omit<PullWorkerSettings, 'prefix'>, prefix: string) {
    this.#settings = settings;
    this.#prefix = prefix;
  }

  async pull(request: PullRequest, options: { readonly login?: PullLogin; readonly onProgress: (progress: PullProgress) => void }, signal: AbortSignal): Promise<LocalImage> {
    signal.throwIfAborted();
    clearTimeout(this.#idle);
    this.#pulls += 1;
    const id = this.#pulls;
    const worker = this.#worker ??= this.#start();
    const send = (command: PullCommand): void => { worker.postMessage(command); };
    const onAbort = (): void => { send({ kind: 'abort', id }); };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await new Promise<LocalImage>((resolve, reject) => {
        this.#waiting.set(id, { worker, resolve, reject, onProgress: options.onProgress });
        send({ kind: 'pull', id, image: request.image, digest: request.digest, ...(options.login === undefined ? {} : { login: options.login }) });
      });
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) this.#idle = setTimeout(() => { void this.close(); }, this.#settings.idleMs).unref();
    }
  }

  async close(): Promise<void> {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  #start(): Worker {
    this.#starts += 1;
    const worker = new Worker(workerEntryUrl('pull-worker', import.meta.url), {
      trackUnmanagedFds: false,
      workerData: { ...this.#settings, prefix: `${this.#prefix}-${String(this.#starts)}` } satisfies PullWorkerSettings,
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MIB },
    });
    worker.unref();
    let lastWords = 'it ended';
    worker.on('message', (report: PullReport) => { this.#take(report); });
    worker.on('error', error => { lastWords = error instanceof Error ? error.message : String(error); });
    worker.on('exit', () => {
      if (this.#worker === worker) this.#worker = undefined;
      for (const waiting of this.#waiting.values()) {
        // A thread that was stopped for idleness may exit when its successor works already.
        if (waiting.worker === worker) waiting.reject(new ClusterError('UNAVAILABLE', `the pull thread is gone: ${lastWords}`));
      }
    });
    return worker;
  }

  #take(report: PullReport): void {
    const waiting = this.#waiting.get(report.id);
    switch (report.kind) {
      case 'progress':
        waiting?.onProgress(report.progress);
        return;
      case 'done':
        waiting?.resolve(report.image);
        return;
      case 'failed':
        waiting?.reject(report.isDiskFull === true ? new DiskPressureError(report.message) : new ClusterError(report.code, report.message));
    }
  }
}
