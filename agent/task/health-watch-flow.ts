import type { Logger } from '#kit/logger.ts';
import type { Health } from '#model/task.ts';
import type { HealthProber, HealthVerdict } from '../health/ports.ts';
import { reachOf } from './host-network.ts';
import { containerId } from './names.ts';
import type { TaskRecord } from './record.ts';

/** Made once: an abort without a reason makes a DOMException, with its stack. */
const NOT_PROBED = new Error('not probed any more');

/** Keeps one prober at the running attempt of a task, and its newest verdict until the loop takes it. */
export class HealthWatch {
  readonly #parts: { readonly prober: HealthProber; readonly log: Logger };
  readonly #onVerdict: (verdict: HealthVerdict) => void;
  #probing: AbortController | undefined;
  #verdict: Health | undefined;

  /** `onVerdict` is called for each, before `take` gives it. */
  constructor(parts: { readonly prober: HealthProber; readonly log: Logger }, onVerdict: (verdict: HealthVerdict) => void) {
    this.#parts = parts;
    this.#onVerdict = onVerdict;
  }

  /** Begins to probe unless it does, or the container stands still. @param ended  one of them aborts when the attempt ended, or the agent does */
  keep({ task, attempt, container, slot, startedAtMs, isFrozen }: TaskRecord, nowMs: number, ended: readonly AbortSignal[]): void {
    const check = task.container.healthcheck;
    if (this.#probing !== undefined || check === undefined || container === undefined || slot === undefined || isFrozen !== false || task.isPaused) {
      return;
    }
    const probing = new AbortController();
    this.#probing = probing;
    const until = AbortSignal.any([...ended, probing.signal]);
    const target = {
      containerId: containerId(task.id, attempt), ...reachOf(task, slot), check, startedAtMs: startedAtMs ?? nowMs,
    };
    this.#follow(target, until).catch((error: unknown) => {
      if (!until.aborted) {
        this.#parts.log.error({ task: task.id, err: error }, 'prober ended; begun again at the next look');
        this.#probing = undefined;
      }
    });
  }

  /** The newest verdict that was not taken yet. */
  take(): Health | undefined {
    const verdict = this.#verdict;
    this.#verdict = undefined;
    return verdict;
  }

  /** The attempt ended, or stands still: what a probe says of it from now on is not heard. */
  reset(): void {
    this.#probing?.abort(NOT_PROBED);
    this.#probing = undefined;
    this.#verdict = undefined;
  }

  async #follow(target: Parameters<HealthProber['watch']>[0], signal: AbortSignal): Promise<void> {
    for await (const verdict of this.#parts.prober.watch(target, signal)) {
      if (signal.aborted) {
        return;
      }
      this.#verdict = verdict.health;
      this.#onVerdict(verdict);
    }
  }
}
