import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { isAbsent, makeDirectoryDurably, removeDurably, replaceDurably } from '../task/durable-fs.ts';

/**
 * The highest fence of the tasks that each named volume was mounted for, a file a volume. It is the data's own word on how new it is: an assignment of a store that was
 * restored from a backup knows only older tasks.
 */
export class VolumeUserFs {
  readonly #directory: string;
  /** One write at a time: tasks that share a volume may start at once. */
  #writing: Promise<void> = Promise.resolve();

  /** @param directory  may be absent */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Undefined where no task was noted. @param volume  as `volumeName` makes it, checked by the caller */
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

  /** On disk before it resolves; a lower fence than one before, or the same, writes nothing. */
  async note(volume: string, fence: number): Promise<void> {
    const written = this.#writing.then(async () => { await this.#raise(volume, fence); });
    this.#writing = written.catch(() => { /* thrown to whoever noted it */ });
    await written;
  }

  /** After its data: absent is fine. */
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
