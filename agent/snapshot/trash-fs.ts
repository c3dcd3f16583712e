import { mkdir, readdir, rename } from 'node:fs/promises';
import path from 'node:path';
import { runTool } from '../runtime/tool-process.ts';

const RM = '/usr/bin/rm';
/** Trees of millions of files on a slow disk. */
const DELETE_LIMIT_MS = 6 * 3_600_000;
/** Directories of one call; their names stay far below what a program may be given. Source: execve(2), "Limits on size of arguments and environment" */
const MAX_BATCH = 200;

/**
 * Directories on their way out: renamed at once, deleted in the background, those that gathered meanwhile together.
 *
 * 1. When `discard` resolved, the name is free; absent is fine. 2. `empty` deletes what an earlier process left. 3. `settled` resolves when
 * all is deleted. 4. A deletion that fails stays for the next `empty`, and `settled` rejects once with it.
 */
export class Trash {
  readonly #path: string;
  readonly #prefix: string;
  readonly #delete: (directories: readonly string[]) => Promise<void>;
  #count = 0;
  #waiting: string[] = [];
  #deleting: Promise<void> = Promise.resolve();
  #failure: unknown;

  /**
   * @param prefix  of the names in it, unique to this process
   * @param remove  deletes some directories
   */
  constructor(trashPath: string, prefix: string, remove: (directories: readonly string[]) => Promise<void> = deleteTrees) {
    this.#path = trashPath;
    this.#prefix = prefix;
    this.#delete = remove;
  }

  async empty(): Promise<void> {
    await mkdir(this.#path, { recursive: true, mode: 0o700 });
    await this.#delete((await readdir(this.#path)).map(name => path.join(this.#path, name)));
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
    this.#waiting.push(away);
    if (this.#waiting.length === 1) {
      this.#deleting = this.#deleting.then(async () => { await this.#delete(this.#waiting.splice(0)); }).catch((error: unknown) => { this.#failure ??= error; });
    }
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

/** One of them. @throws Error with the program's words */
export async function deleteTree(target: string): Promise<void> {
  await deleteTrees([target]);
}

/**
 * Deletes trees of any depth; links are not followed, absent is fine. By one program, which walks by descriptors: some sixty calls on threads for
 * the smallest root file system, and paths that end at 4096 bytes, are what Node's own has. @throws Error with the program's words
 */
export async function deleteTrees(targets: readonly string[]): Promise<void> {
  const failures: Error[] = [];
  for (let first = 0; first < targets.length; first += MAX_BATCH) {
    const { code, output } = await runTool(RM, ['-rf', '--', ...targets.slice(first, first + MAX_BATCH)], DELETE_LIMIT_MS);
    if (code !== 0) failures.push(new Error(`rm: exit ${String(code)}: ${output}`));
  }
  if (failures.length > 0) throw new AggregateError(failures, failures.map(({ message }) => message).join('; '));
}
