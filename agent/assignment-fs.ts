import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AssignedContent } from '#model/assignment.ts';
import type { Task } from '#model/task.ts';
import type { DesiredSet } from './assignment.ts';
import type { HeldAssignment } from './ports.ts';
import { DoubleFile } from './task/double-file-fs.ts';
import { entriesOf, isAbsent, makeDirectoryDurably, removeDurably, replaceDurably } from './task/durable-fs.ts';

interface StoredAssignment {
  readonly epoch: number;
  readonly generation: number;
  readonly tasks: readonly Task[];
}

const CONFIG_PREFIX = 'config/';

/**
 * The assignment as `assignment.a` and `.b` (`DoubleFile`) and one file a config, named by its SHA-256. Secrets stay in memory and on their tmpfs. Version 0.1
 * had `assignment.json`: it is read where there is no other, and goes with the first save, so that an agent that is put back does not go by it.
 */
export class AssignmentFs implements HeldAssignment {
  readonly #directory: string;
  readonly #file: DoubleFile;
  readonly #oldPath: string;
  #hasOldFile = true;
  #written: Set<string> | undefined;

  constructor(stateDirectory: string) {
    this.#directory = join(stateDirectory, 'assignment');
    this.#file = new DoubleFile(join(this.#directory, 'assignment'));
    this.#oldPath = join(this.#directory, 'assignment.json');
  }

  /** Contents first: an assignment on disk always has its configs. */
  async save(set: DesiredSet): Promise<void> {
    this.#written ??= await this.#open();
    const wanted = [...set.contents.values()].filter(content => content.key.startsWith(CONFIG_PREFIX));
    for (const content of wanted) {
      await this.#writeOnce(content);
    }
    const stored: StoredAssignment = { epoch: set.epoch, generation: set.generation, tasks: [...set.tasks.values()] };
    await this.#write(JSON.stringify(stored));
    await this.#removeUnwanted(new Set(wanted.map(fileName)));
  }

  async load(): Promise<DesiredSet | undefined> {
    const stored = await this.#read();
    if (stored === undefined) {
      return undefined;
    }
    const contents = new Map<string, AssignedContent>();
    for (const name of await entriesOf(join(this.#directory, 'configs'))) {
      const key = `${CONFIG_PREFIX}${name}`;
      contents.set(key, { key, content: await readFile(join(this.#directory, 'configs', name)) });
    }
    return { epoch: stored.epoch, generation: stored.generation, tasks: new Map(stored.tasks.map(task => [task.id, task])), contents, volumeRemovals: [] };
  }

  async #write(text: string): Promise<void> {
    try {
      await this.#file.write(text);
    } catch (error) {
      // Somebody took the directory away: it is made again at the next try.
      if (isAbsent(error)) this.#written = undefined;
      throw error;
    }
    if (this.#hasOldFile) await removeDurably(this.#oldPath);
    this.#hasOldFile = false;
  }

  /** Names of the configs on disk. */
  async #open(): Promise<Set<string>> {
    await makeDirectoryDurably(join(this.#directory, 'configs'));
    return new Set(await entriesOf(join(this.#directory, 'configs')));
  }

  async #writeOnce(content: AssignedContent): Promise<void> {
    const name = fileName(content);
    if (this.#written?.has(name) !== true) {
      await replaceDurably(join(this.#directory, 'configs', name), content.content);
      this.#written?.add(name);
    }
  }

  async #removeUnwanted(wanted: ReadonlySet<string>): Promise<void> {
    for (const name of this.#written ?? []) {
      if (!wanted.has(name)) {
        await removeDurably(join(this.#directory, 'configs', name));
        this.#written?.delete(name);
      }
    }
  }

  async #read(): Promise<StoredAssignment | undefined> {
    const text = await this.#file.read() ?? await readFile(this.#oldPath, 'utf8').catch((error: unknown) => {
      if (isAbsent(error)) return undefined;
      throw error;
    });
    try {
      const value: unknown = JSON.parse(text ?? 'null');
      return isStored(value) ? value : undefined;
    } catch {
      return undefined; // half of an old file
    }
  }
}

function fileName(content: AssignedContent): string {
  return content.key.slice(CONFIG_PREFIX.length);
}

function isStored(value: unknown): value is StoredAssignment {
  return typeof value === 'object' && value !== null && 'epoch' in value && typeof value.epoch === 'number'
    && 'generation' in value && typeof value.generation === 'number' && 'tasks' in value && Array.isArray(value.tasks);
}
