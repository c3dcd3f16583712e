import type { Clock } from '#kit/clock.ts';
import { backoffMs } from '#kit/backoff.ts';
import { ClusterError, isClusterError } from '#model/errors.ts';
import { isDiskPressure } from '../disk-pressure.ts';
import type { ImageStore, LocalImage, PullProgress, PullRequest } from './ports.ts';

/** Source: Kubernetes, "ImagePullBackOff": the delay rises up to five minutes */
const BACKOFF = { firstMs: 1_000, maxMs: 300_000 };
/** Of failed pulls; the oldest is forgotten first. A message has 64 KiB at most, as long as a registry's answer may be. */
const MAX_REMEMBERED = 256;

/** The pull of the image failed a short time ago: no request is made before `retryAtMs` of the monotonic clock. */
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
 * The same images; a pull that failed is not begun again before its time, whichever task of the node asks for it.
 *
 * A registry that is away and content that cannot be unpacked count; a name or a login that the registry does not know costs it one request, and
 * a full disk is the node's own matter. What is on the disk meanwhile is answered as ever.
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

  /** @throws PullBackoffError after a failure that counts and until its time; else as the store does */
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
