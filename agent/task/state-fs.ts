import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { allEnded } from '#kit/all-ended.ts';
import { failpoint } from '#kit/failpoint.ts';
import { parseTaskId } from '#model/ids.ts';
import type { TaskId } from '#model/ids.ts';
import { onDisk } from '../disk-fs.ts';
import { entriesOf, isAbsent, makeDirectoryDurably, replaceDurably, syncDirectory } from './durable-fs.ts';
import { formatLogName, parseLogName, previousLog } from './log-name.ts';
import type { LogName } from './log-name.ts';
import { GroupCommit } from './group-commit-flow.ts';
import type { ContainerName } from './names.ts';
import type { TaskRecords } from './ports.ts';
import { formatRecord, parseRecord } from './record-text.ts';
import type { ReadRecord } from './record-text.ts';
import type { TaskRecord } from './record.ts';

/** The journal moves to `starts.old` at this size; one of 30 bytes a start. */
const MAX_JOURNAL_BYTES = 4 * 1024 * 1024;
const START_LINE = /^([a-z2-7]{12}) ([0-9]{1,9})(?: c[0-9]{1,2} [0-9]{1,9})?$/;

/**
 * TaskRecords in a directory: `tasks/ID/record.json`, `tasks/ID/logs/` with the files of `log-name.ts`, and the start journal `starts`, one
 * `ID ATTEMPT` a line, for a companion `ID ATTEMPT cINDEX RUN`.
 */
export class TaskStateFs implements TaskRecords {
  readonly #directory: string;
  readonly #unknown = new Map<TaskId, Readonly<Record<string, unknown>>>();
  readonly #known = new Set<TaskId>();
  /** Their directories were made by this process. */
  readonly #made = new Set<TaskId>();
  readonly #starts = new GroupCommit<string>(async lines => { await onDisk(this.#directory, async () => { await this.#append(lines.join('')); }); });
  readonly #entries = new GroupCommit<undefined>(async () => {
    await syncDirectory(join(this.#directory, 'tasks')).catch((error: unknown) => { if (!isAbsent(error)) throw error; });
  });
  #journal: FileHandle | undefined;
  #journalBytes = 0;

  constructor(stateDirectory: string) {
    this.#directory = stateDirectory;
  }

  async save(record: TaskRecord): Promise<void> {
    await failpoint('agent.before-record');
    const id = record.task.id;
    const isNew = !this.#known.has(id);
    if (isNew) await this.makeLogs(id);
    await allEnded([
      replaceDurably(join(this.#pathOf(id), 'record.json'), formatRecord(record, this.#unknown.get(id) ?? {})),
      isNew ? this.#entries.add(undefined) : Promise.resolve(),
    ]);
    this.#known.add(id);
    await failpoint('agent.after-record');
  }

  async makeLogs(task: TaskId): Promise<void> {
    if (!this.#known.has(task) && !this.#made.has(task)) {
      await onDisk(this.#directory, async () => {
        await makeDirectory(this.#pathOf(task));
        await makeDirectory(join(this.#pathOf(task), 'logs'));
      });
      this.#made.add(task);
    }
  }

  async load(): Promise<{ readonly records: readonly TaskRecord[]; readonly corrupt: readonly TaskId[] }> {
    const records: TaskRecord[] = [];
    const corrupt: TaskId[] = [];
    for (const name of (await entriesOf(join(this.#directory, 'tasks'))).filter(isTaskId)) {
      const id = parseTaskId(name);
      const read = await this.#read(id);
      if (read === undefined) {
        corrupt.push(id);
      } else {
        this.#unknown.set(id, read.unknown);
        this.#known.add(id);
        records.push(read.record);
      }
    }
    return { records, corrupt };
  }

  async forget(task: TaskId): Promise<void> {
    this.#unknown.delete(task);
    this.#known.delete(task);
    this.#made.delete(task);
    await rm(this.#pathOf(task), { recursive: true, force: true });
    await this.#entries.add(undefined);
  }

  async appendStart({ task, attempt, companion }: ContainerName): Promise<void> {
    await failpoint('agent.before-start-line');
    await this.#starts.add(`${task} ${String(attempt)}${companion === undefined ? '' : ` c${String(companion.index)} ${String(companion.run)}`}\n`);
    await failpoint('agent.after-start-line');
  }

  async lastStarts(): Promise<ReadonlyMap<TaskId, number>> {
    const last = new Map<TaskId, number>();
    for (const name of ['starts.old', 'starts']) {
      for (const line of (await readIfThere(join(this.#directory, name))).split('\n')) {
        const match = START_LINE.exec(line);
        if (match?.[1] !== undefined) {
          const id = parseTaskId(match[1]);
          last.set(id, Math.max(last.get(id) ?? 0, Number(match[2])));
        }
      }
    }
    return last;
  }

  logPath(task: TaskId, log: LogName): string {
    return join(this.#pathOf(task), 'logs', formatLogName(log));
  }

  async previousLogPath(task: TaskId, current: LogName): Promise<string | undefined> {
    const previous = previousLog(current, await entriesOf(join(this.#pathOf(task), 'logs')));
    return previous === undefined ? undefined : this.logPath(task, previous);
  }

  async dropLogs(task: TaskId, isDropped: (log: LogName) => boolean): Promise<void> {
    const directory = join(this.#pathOf(task), 'logs');
    for (const file of await entriesOf(directory)) {
      const log = parseLogName(file);
      if (log !== undefined && isDropped(log)) {
        await rm(join(directory, file), { force: true });
      }
    }
  }

  async #append(lines: string): Promise<void> {
    if (this.#journal !== undefined && this.#journalBytes > MAX_JOURNAL_BYTES) {
      await this.#journal.close();
      this.#journal = undefined;
      await rename(join(this.#directory, 'starts'), join(this.#directory, 'starts.old'));
    }
    const journal = this.#journal ??= await this.#openJournal();
    try {
      await journal.appendFile(lines);
      await journal.datasync();
    } catch (error) {
      // Half a line may be there: the next opening ends it.
      this.#journal = undefined;
      await journal.close();
      throw error;
    }
    this.#journalBytes += lines.length;
  }

  /** A line that a crash cut is ended, so that the next one stays readable. */
  async #openJournal(): Promise<FileHandle> {
    await makeDirectoryDurably(this.#directory);
    const path = join(this.#directory, 'starts');
    const isNew = (await readIfThere(path)).length === 0;
    const journal = await open(path, 'a', 0o600);
    this.#journalBytes = (await stat(path)).size;
    try {
      if (!isNew) await journal.appendFile('\n');
    } catch (error) {
      await journal.close();
      throw error;
    }
    return journal;
  }

  async #read(id: TaskId): Promise<ReadRecord | undefined> {
    const path = join(this.#pathOf(id), 'record.json');
    const read = parseRecord(await readIfThere(path), id);
    if (read === undefined) {
      await rename(path, `${path}.corrupt`).catch((error: unknown) => {
        if (!isAbsent(error)) throw error;
      });
    }
    return read;
  }

  #pathOf(id: TaskId): string {
    return join(this.#directory, 'tasks', id);
  }
}

/** With what is missing above it. Node's recursive mkdir answers ENOENT where the file system is read-only. */
async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') {
      await makeDirectory(dirname(path));
      await mkdir(path, { mode: 0o700 });
    } else if (code !== 'EEXIST') {
      throw error;
    }
  }
}

/** Foreign names in the directory are left alone. */
function isTaskId(name: string): boolean {
  return /^[a-z2-7]{12}$/.test(name);
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isAbsent(error)) {
      return '';
    }
    throw error;
  }
}
