import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { requireCommand } from '#kit/command-process.ts';

/**
 * Directories on their way out: renamed at once, deleted one after another in the background.
 *
 * 1. When `discard` resolved, the name is free; absent is fine. 2. `empty` deletes what an earlier process left. 3. `settled` resolves when
 * all is deleted. 4. A deletion that fails stays for the next `empty`, and `settled` rejects once with it.
 */
export class Trash {
  readonly #path: string;
  readonly #prefix: string;
  #count = 0;
  #deleting: Promise<void> = Promise.resolve();
  #failure: unknown;

  readonly #delete: (directory: string) => Promise<void>;

  /**
   * @param prefix  of the names in it, unique to this process
   * @param remove  deletes one directory
   */
  constructor(trashPath: string, prefix: string, remove: (directory: string) => Promise<void> = deleteTree) {
    this.#path = trashPath;
    this.#prefix = prefix;
    this.#delete = remove;
  }

  async empty(): Promise<void> {
    await mkdir(this.#path, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.#path)) {
      await this.#delete(path.join(this.#path, name));
    }
  }

  async discard(directory: string): Promise<void> {
    this.#count += 1;
    const away = path.join(this.#path, `${this.#prefix}-${String(this.#count)}`);
    try {
      await rename(directory, away);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    this.#deleting = this.#deleting
      .then(() => this.#delete(away))
      .catch((error: unknown) => { this.#failure ??= error; });
  }

  async settled(): Promise<void> {
    await this.#deleting;
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) {
      throw new Error('a directory could not be deleted', { cause: failure });
    }
  }
}

/** Deletes a tree of any depth; links are not followed, absent is fine. */
export async function deleteTree(target: string): Promise<void> {
  try {
    await rm(target, { recursive: true, force: true });
  } catch (error) {
    // Node joins paths, which end at 4096 bytes; rm(1) walks by descriptor.
    if ((error as NodeJS.ErrnoException).code !== 'ENAMETOOLONG') throw error;
    await requireCommand('rm', ['-rf', '--', target], { timeoutMs: 600_000 });
  }
}
