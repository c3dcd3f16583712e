import type { Clock } from '#kit/clock.ts';
import { backoffMs } from '#kit/backoff.ts';
import { ClusterError, isClusterError } from '#model/errors.ts';
import { isDiskPressure } from '../disk-pressure.ts';
import type { ImageStore, LocalImage, PullProgress, PullRequest } from './ports.ts';

/** Source: Kubernetes, "ImagePullBackOff": the delay rises to five minutes */
const BACKOFF = { firstMs: 1_000, maxMs: 300_000 };
/**
 * Maximum of remembered failures; the oldest is dropped first. A message has at most 64 KiB, the
 * limit of a registry's answer.
 */
const MAX_REMEMBERED = 256;

/** The pull failed recently: no request is sent before `retryAtMs` of the monotonic clock. */
export class PullBackoffError extends ClusterError {
  readonly retryAtMs: number;

  constructor(failure: ClusterError, retryAtMs: number) {
    super(failure.code, failure.message, { cause: failure });
    this.retryAtMs = retryAtMs;
  }
}

interface Failure {
  readonly error: ClusterError;
  readonly count: number;
  readonly retryAtMs: number;
}

/**
 * Wraps an image store: after a failed pull, no task of the node starts it again before its time.
 * Registries that do not answer and content that cannot be unpacked count. An unknown name or a
 * refused login costs the registry one request, and a full disk is a problem of the node: both do
 * not count. Images on disk are returned at once.
 */
export class BackedOffImages implements ImageStore {
  readonly #images: ImageStore;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #failures = new Map<string, Failure>();

  constructor(images: ImageStore, clock: Clock, random: () => number) {
    this.#images = images;
    this.#clock = clock;
    this.#random = random;
  }

  /** @throws PullBackoffError after a failure that counts, until its time; else as the store */
  async ensure(request: PullRequest, onProgress: (progress: PullProgress) => void, signal: AbortSignal): Promise<LocalImage> {
    const key = `${request.namespace ?? ''} ${request.image}@${request.digest}`;
    const failure = this.#failures.get(key);
    if (failure !== undefined && this.#clock.monotonicMs() < failure.retryAtMs && await this.#images.find(request.digest, request.namespace ?? '') === undefined) {
      throw new PullBackoffError(failure.error, failure.retryAtMs);
    }
    try {
      const image = await this.#images.ensure(request, onProgress, signal);
      this.#failures.delete(key);
      return image;
    } catch (error) {
      signal.throwIfAborted();
      throw this.#remember(key, error);
    }
  }

  #remember(key: string, error: unknown): unknown {
    if (isDiskPressure(error) || !(isClusterError(error, 'UNAVAILABLE') || isClusterError(error, 'FAILED_PRECONDITION'))) {
      return error;
    }
    // Tasks that shared one pull share its failure.
    const known = this.#failures.get(key);
    if (known !== undefined && this.#clock.monotonicMs() < known.retryAtMs) {
      return new PullBackoffError(error, known.retryAtMs);
    }
    const count = (known?.count ?? 0) + 1;
    const retryAtMs = this.#clock.monotonicMs() + backoffMs(BACKOFF, count, 0.5 + this.#random() / 2);
    this.#failures.delete(key);
    this.#failures.set(key, { error, count, retryAtMs });
    const [oldest] = this.#failures.keys();
    if (this.#failures.size > MAX_REMEMBERED && oldest !== undefined) this.#failures.delete(oldest);
    return new PullBackoffError(error, retryAtMs);
  }

  async find(...args: Parameters<ImageStore['find']>): ReturnType<ImageStore['find']> {
    return await this.#images.find(...args);
  }

  async prune(...args: Parameters<ImageStore['prune']>): ReturnType<ImageStore['prune']> {
    return await this.#images.prune(...args);
  }
}
