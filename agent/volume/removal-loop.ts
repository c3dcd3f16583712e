import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import type { Loop } from '#kit/supervise-loop.ts';
import { EMPTY_DESIRED_SET } from '../assignment.ts';
import type { DesiredSet } from '../assignment.ts';
import type { TaskRecord } from '../task/record.ts';
import type { Volumes } from './ports.ts';
import { freeRemovals } from './removal.ts';

export interface RemovalParts {
  readonly volumes: Pick<Volumes, 'removeData'>;
  /** Undefined until what was running is known. */
  readonly records: () => readonly TaskRecord[] | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** `removed` has changed. */
  readonly onRemoved: () => void;
}

/** How often it is looked whether the last task that uses a volume has ended. */
const LOOK_MS = 500;
const AFTER_FAILURE_MS = 5_000;

/**
 * Deletes the data of the volumes that the newest assignment names, and of no others.
 *
 * 1. None goes while a task of the node uses it. 2. `removed` names those that are gone until the assignment names them no more, so that whoever
 * asked hears it in any case. 3. What fails is tried again.
 */
export class VolumeRemovalLoop implements Loop {
  readonly #parts: RemovalParts;
  #set: Pick<DesiredSet, 'tasks' | 'volumeRemovals'> = EMPTY_DESIRED_SET;
  #removed: readonly string[] = [];
  #wake: () => void = () => undefined;

  constructor(parts: RemovalParts) {
    this.#parts = parts;
  }

  /** Sorted as the assignment has them; another array where it is another list. */
  get removed(): readonly string[] {
    return this.#removed;
  }

  /** One that a task uses again, or that is asked for again after that, is not gone. */
  desire(set: DesiredSet): void {
    this.#set = set;
    const free = freeRemovals(set, this.#parts.records() ?? []);
    this.#tell(this.#removed.filter(name => free.includes(name)));
    this.#wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    const over = Promise.withResolvers<undefined>();
    signal.addEventListener('abort', () => { over.resolve(undefined); }, { once: true });
    while (!signal.aborted) {
      const woken = new Promise<void>(resolve => { this.#wake = resolve; });
      const left = this.#left();
      if (left.length === 0) {
        await Promise.race([woken, over.promise]);
        continue;
      }
      const isWell = await this.#removeFree(left);
      await Promise.race([woken, clock.sleep(isWell ? LOOK_MS : AFTER_FAILURE_MS, signal).catch(() => { /* the loop's condition sees the signal */ })]);
    }
  }

  #left(): readonly string[] {
    return this.#set.volumeRemovals.filter(name => !this.#removed.includes(name));
  }

  /** False: one could not be removed. */
  async #removeFree(left: readonly string[]): Promise<boolean> {
    const { volumes, records, log } = this.#parts;
    let isWell = true;
    for (const name of left) {
      const known = records();
      if (known === undefined || !freeRemovals(this.#set, known).includes(name)) {
        continue;
      }
      try {
        await volumes.removeData(name);
        log.info({ volume: name }, 'the data of the volume was removed, as an operator asked');
        this.#tell(this.#set.volumeRemovals.filter(one => one === name || this.#removed.includes(one)));
      } catch (error) {
        isWell = false;
        log.error({ volume: name, err: error }, 'the data of the volume could not be removed; it is tried again');
      }
    }
    return isWell;
  }

  #tell(removed: readonly string[]): void {
    if (removed.join() !== this.#removed.join()) {
      this.#removed = removed;
      this.#parts.onRemoved();
    }
  }
}
