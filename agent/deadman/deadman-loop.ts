import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import type { DeadmanWatch } from '../ports.ts';
import { unlessShort } from '../shortage.ts';

const LOOK_MS = 1_000;

export interface DeadmanLoopParts {
  readonly deadman: Pick<DeadmanWatch, 'isAtWork'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** State that the controllers know; undefined: none yet. */
  readonly toldAtWork: () => boolean | undefined;
  /** Reports the state to the controllers. */
  readonly tell: (isAtWork: boolean) => void;
}

/**
 * Reports to the controllers when the deadman starts or stops working: without it the node gets no
 * exclusive tasks.
 */
export class DeadmanLoop {
  readonly #parts: DeadmanLoopParts;

  constructor(parts: DeadmanLoopParts) {
    this.#parts = parts;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, deadman, log, tell, toldAtWork } = this.#parts;
    while (!signal.aborted) {
      await clock.sleep(LOOK_MS, signal);
      const told = toldAtWork();
      // Undefined: the reported state stays until the next check.
      const isAtWork = unlessShort<boolean | undefined>(() => deadman.isAtWork(), undefined);
      if (told !== undefined && isAtWork !== undefined && told !== isAtWork) {
        log.warn({ isAtWork }, isAtWork ? 'the deadman is at work' : 'no deadman is at work: this node gets no exclusive tasks; start gantry-deadman');
        tell(isAtWork);
      }
    }
  }
}
