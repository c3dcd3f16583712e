import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { isAbsent, makeDirectoryDurably, removeDurably, replaceDurably } from '../task/durable-fs.ts';

/**
 * Stores the highest fence of the tasks that each named volume was mounted for, one file per
 * volume. It proves how new the data is: the assignment of a restored store knows only older tasks.
 */
export class VolumeUserFs {
  readonly #directory: string;
  /** Serializes writes: tasks that share a volume may start at the same time. */
  #writing: Promise<void> = Promise.resolve();

  /** @param directory  may be absent */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * @param volume  from `volumeName`, checked by the caller. @returns undefined if no task is
   * recorded
   */
  async newest(volume: string): Promise<number | undefined> {
    try {
      const fence = Number(await readFile(this.#fileOf(volume), 'utf8'));
      return Number.isSafeInteger(fence) && fence > 0 ? fence : undefined;
    } catch (error) {
      if (isAbsent(error)) {
        return undefined;
      }
      throw error;
    }
  }

  /**
   * Resolves when the fence is on disk; a fence that is not higher than the last one writes
   * nothing.
   */
  async note(volume: string, fence: number): Promise<void> {
    const written = this.#writing.then(async () => { await this.#raise(volume, fence); });
    this.#writing = written.catch(() => { /* thrown to whoever noted it */ });
    await written;
  }

  /** Called after the data was deleted; an absent file is fine. */
  async forget(volume: string): Promise<void> {
    if (await this.newest(volume) !== undefined) {
      await removeDurably(this.#fileOf(volume));
    }
  }

  async #raise(volume: string, fence: number): Promise<void> {
    if (fence <= (await this.newest(volume) ?? 0)) {
      return;
    }
    const file = this.#fileOf(volume);
    await makeDirectoryDurably(path.dirname(file));
    await replaceDurably(file, String(fence));
  }

  #fileOf(volume: string): string {
    return path.join(this.#directory, volume);
  }
}
