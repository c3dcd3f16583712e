import type { Clock } from '#kit/clock.ts';
import type { ImageStore, LocalImage, PullProgress, PullRequest } from './ports.ts';

/** Reports the outcome and the duration of each pull. */
export type OnPulled = (outcome: 'done' | 'failed', durationMs: number) => void;

/**
 * Wraps an image store and reports pulls: those of incomplete images, and those that ask the
 * registry again.
 */
export class TimedImages implements ImageStore {
  readonly #images: ImageStore;
  readonly #clock: Clock;
  readonly #onPulled: OnPulled;

  constructor(images: ImageStore, clock: Clock, onPulled: OnPulled) {
    this.#images = images;
    this.#clock = clock;
    this.#onPulled = onPulled;
  }

  async ensure(request: PullRequest, onProgress: (progress: PullProgress) => void, signal: AbortSignal): Promise<LocalImage> {
    const beganAtMs = this.#clock.monotonicMs();
    let outcome: 'done' | 'failed' = 'failed';
    let isPulled = request.isChecked === true;
    const onAbsent = async (): Promise<void> => {
      isPulled = true;
      await request.onAbsent?.();
    };
    try {
      const image = await this.#images.ensure({ ...request, onAbsent }, onProgress, signal);
      outcome = 'done';
      return image;
    } finally {
      if (isPulled) this.#onPulled(outcome, this.#clock.monotonicMs() - beganAtMs);
    }
  }

  async find(...args: Parameters<ImageStore['find']>): ReturnType<ImageStore['find']> {
    return await this.#images.find(...args);
  }

  async prune(...args: Parameters<ImageStore['prune']>): ReturnType<ImageStore['prune']> {
    return await this.#images.prune(...args);
  }
}
