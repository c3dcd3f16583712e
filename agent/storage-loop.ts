import type { Clock } from '#kit/clock.ts';
import { everyInterval } from '#kit/interval-loop.ts';
import type { Logger } from '#kit/logger.ts';
import type { TaskId } from '#model/ids.ts';
import type { Limits } from '#model/resources.ts';
import type { RootfsSnapshotter } from './snapshot/ports.ts';
import { bytesExceeded, filesExceeded, tooManyFiles } from './storage.ts';
import type { FileUse } from './storage.ts';
import { containerId } from './task/names.ts';
import type { TaskRecord } from './task/record.ts';

export interface StorageParts {
  readonly snapshots: Pick<RootfsSnapshotter, 'writableBytes' | 'holdsFiles' | 'limit'>;
  readonly records: () => readonly TaskRecord[];
  /** Of the disk that the root file systems are on. */
  readonly fileUse: () => Promise<FileUse>;
  readonly onExceeded: (task: TaskId, attempt: number, message: string) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

const LOOK_INTERVAL_MS = 2_000;

interface Written {
  readonly id: string;
  readonly limits: Limits;
}

/**
 * Looks at what containers write into their root file systems. Where the driver has no quota, a container above its limit is ended at the next
 * look; one that holds many files on a disk that runs out of inodes is ended with any driver.
 */
export class StorageLoop {
  readonly #parts: StorageParts;

  constructor(parts: StorageParts) {
    this.#parts = parts;
  }

  async run(signal: AbortSignal): Promise<void> {
    await everyInterval(async () => { await this.#look(); }, { ...this.#parts, intervalMs: LOOK_INTERVAL_MS, failure: 'what containers wrote was not looked at' }, signal);
  }

  async #look(): Promise<void> {
    const { records, fileUse, onExceeded } = this.#parts;
    const running = records().filter(({ step }) => step === 'running');
    const use = running.length === 0 ? undefined : await fileUse();
    for (const record of running) {
      const message = await this.#overBytes(record).catch(tooLong);
      if (message !== undefined) onExceeded(record.task.id, record.attempt, message);
    }
    for (const record of running) {
      const message = use === undefined ? undefined : await this.#overFiles(record, use).catch(tooLong);
      if (message !== undefined) {
        onExceeded(record.task.id, record.attempt, message);
        return; // what it held is free at a later look
      }
    }
  }

  async #overBytes(record: TaskRecord): Promise<string | undefined> {
    for (const { id, limits: { storageBytes } } of containersOf(record)) {
      if (storageBytes === undefined || await this.#parts.snapshots.limit(id, storageBytes)) continue;
      const bytes = await this.#parts.snapshots.writableBytes(id);
      if (bytes > storageBytes) return bytesExceeded(bytes, storageBytes);
    }
    return undefined;
  }

  async #overFiles(record: TaskRecord, use: FileUse): Promise<string | undefined> {
    const count = tooManyFiles(use);
    for (const { id } of count === undefined ? [] : containersOf(record)) {
      if (count !== undefined && await this.#parts.snapshots.holdsFiles(id, count)) return filesExceeded(count, use);
    }
    return undefined;
  }
}

/** A path may be longer from the host than it is inside: what is below it cannot be counted, and nobody needs it. Source: path_resolution(7), PATH_MAX */
function tooLong(error: unknown): string {
  if ((error as NodeJS.ErrnoException).code !== 'ENAMETOOLONG') throw error;
  return 'its root file system has a path that is too long to be counted, and it has a storage limit or inodes are scarce';
}

/** Those of the attempt that run, or did. */
function containersOf({ task, attempt, companions = [] }: TaskRecord): readonly Written[] {
  const beside = companions.flatMap(({ run }, index) => {
    const limits = task.companions?.[index]?.container.limits;
    return run === 0 || limits === undefined ? [] : [{ id: containerId(task.id, attempt, { index, run }), limits }];
  });
  return [{ id: containerId(task.id, attempt), limits: task.container.limits }, ...beside];
}
