import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import type { Loop } from '#kit/supervise-loop.ts';
import type { VolumeUse } from '#model/volume.ts';
import { EMPTY_DESIRED_SET } from '../assignment.ts';
import type { DesiredSet } from '../assignment.ts';
import type { TaskRecord } from '../task/record.ts';
import type { Volumes } from './ports.ts';
import { answersLeft, freeRemovals, NO_ANSWERS } from './removal.ts';
import type { VolumeAnswers } from './removal.ts';

export interface RemovalParts {
  readonly volumes: Pick<Volumes, 'newestUser' | 'removeData'>;
  /** Task records; undefined until the recovery is done. */
  readonly records: () => readonly TaskRecord[] | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** Called when `answers` has changed. */
  readonly onAnswer: () => void;
}

/** Time between two checks whether the last user of a volume has ended. */
const LOOK_MS = 500;
const AFTER_FAILURE_MS = 5_000;

/**
 * Deletes the data of the volumes that the newest assignment names, and of no others.
 * 1. Data stays while a task of the node uses it, or if a newer task used it than the assignment
 * knows. 2. `answers` reports the results until the assignment no longer names them, so that no
 * report is lost. 3. A failed deletion is tried again.
 */
export class VolumeRemovalLoop implements Loop {
  readonly #parts: RemovalParts;
  #set: Pick<DesiredSet, 'tasks' | 'volumeRemovals'> = EMPTY_DESIRED_SET;
  #answers: VolumeAnswers = NO_ANSWERS;
  #wake: () => void = () => undefined;

  constructor(parts: RemovalParts) {
    this.#parts = parts;
  }

  /** Returns a new object after a change. */
  get answers(): VolumeAnswers {
    return this.#answers;
  }

  /**
   * A volume that a task uses again, or that is named again after that, is not removed any more.
   */
  desire(set: DesiredSet): void {
    this.#set = set;
    this.#tell(answersLeft(this.#answers, freeRemovals(set, this.#parts.records() ?? [])));
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

  #left(): readonly VolumeUse[] {
    const { removedVolumes, keptVolumes } = this.#answers;
    return this.#set.volumeRemovals.filter(({ name }) => !removedVolumes.includes(name) && !keptVolumes.some(kept => kept.name === name));
  }

  /** @returns false if one could not be removed */
  async #removeFree(left: readonly VolumeUse[]): Promise<boolean> {
    let isWell = true;
    for (const { name } of left) {
      try {
        await this.#removeIfFree(name);
      } catch (error) {
        isWell = false;
        this.#parts.log.error({ volume: name, err: error }, 'the data of the volume could not be removed; it is tried again');
      }
    }
    return isWell;
  }

  async #removeIfFree(name: string): Promise<void> {
    const { volumes, records, log } = this.#parts;
    const newest = await volumes.newestUser(name) ?? 0;
    const known = records();
    const asked = known === undefined ? undefined : freeRemovals(this.#set, known).find(free => free.name === name);
    if (asked === undefined) {
      return;
    }
    const { removedVolumes, keptVolumes } = this.#answers;
    if (newest > asked.fence) {
      log.warn({ volume: name, asked: asked.fence, newest }, 'the data of the volume stays: it is newer than what an operator gave up');
      this.#tell({ removedVolumes, keptVolumes: this.#inOrder([...keptVolumes, { name, fence: newest }], kept => kept.name) });
      return;
    }
    await volumes.removeData(name);
    log.info({ volume: name }, 'the data of the volume was removed, as an operator asked');
    this.#tell({ removedVolumes: this.#inOrder([...this.#answers.removedVolumes, name], volume => volume), keptVolumes: this.#answers.keptVolumes });
  }

  #inOrder<Answer>(answers: readonly Answer[], nameOf: (answer: Answer) => string): readonly Answer[] {
    return this.#set.volumeRemovals.flatMap(({ name }) => answers.find(answer => nameOf(answer) === name) ?? []);
  }

  #tell(answers: VolumeAnswers): void {
    if (JSON.stringify(answers) !== JSON.stringify(this.#answers)) {
      this.#answers = answers;
      this.#parts.onAnswer();
    }
  }
}
