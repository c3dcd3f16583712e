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
  /** Undefined until what was running is known. */
  readonly records: () => readonly TaskRecord[] | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** `answers` has changed. */
  readonly onAnswer: () => void;
}

/** How often it is looked whether the last task that uses a volume has ended. */
const LOOK_MS = 500;
const AFTER_FAILURE_MS = 5_000;

/**
 * Deletes the data of the volumes that the newest assignment names, and of no others.
 *
 * 1. None goes while a task of the node uses it, nor where a newer task used it than the assignment says. 2. `answers` tells what became of them until the
 * assignment names them no more, so that whoever asked hears it in any case. 3. What fails is tried again.
 */
export class VolumeRemovalLoop implements Loop {
  readonly #parts: RemovalParts;
  #set: Pick<DesiredSet, 'tasks' | 'volumeRemovals'> = EMPTY_DESIRED_SET;
  #answers: VolumeAnswers = NO_ANSWERS;
  #wake: () => void = () => undefined;

  constructor(parts: RemovalParts) {
    this.#parts = parts;
  }

  /** Another object where they are others. */
  get answers(): VolumeAnswers {
    return this.#answers;
  }

  /** One that a task uses again, or that is asked for again after that, is not gone. */
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

  /** False: one could not be removed. */
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
