import type { Clock } from '#kit/clock.ts';
import { everyInterval } from '#kit/interval-loop.ts';
import type { Logger } from '#kit/logger.ts';
import type { TaskId } from '#model/ids.ts';
import type { RootfsSnapshotter } from './snapshot/ports.ts';
import { bytesExceeded, defaultStorageBytes, filesExceeded, isCountDue, largestWriter, reserveBytes, reserveTaken, tooManyFiles } from './storage.ts';
import type { CountedBytes, DiskSpace, FileUse } from './storage.ts';
import { containerId } from './task/names.ts';
import type { TaskRecord } from './task/record.ts';

export interface StorageParts {
  readonly snapshots: Pick<RootfsSnapshotter, 'writableBytes' | 'holdsFiles' | 'limit'>;
  readonly records: () => readonly TaskRecord[];
  /** Of the disk that the root file systems are on. */
  readonly fileUse: () => Promise<FileUse>;
  /** Of the same disk. */
  readonly space: () => Promise<DiskSpace>;
  readonly onExceeded: (task: TaskId, attempt: number, message: string) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How often the disk is looked at: one call, so that what a fast writer gets beyond its limit is what it writes in this time. */
const LOOK_INTERVAL_MS = 100;
/** How often inodes are counted, and what each one wrote while the disk is short. */
const FILES_INTERVAL_MS = 2_000;
/** What a look costs, at most: one part in so many of the time. */
const REST_FACTOR = 3;

interface Written {
  readonly id: string;
  readonly storageBytes: number | undefined;
}

/**
 * Looks at what containers write into their root file systems. Where the driver has no quota, a container above its limit is ended soon after; the
 * largest one is ended when the disk has less left than the node needs, and one that holds many files when inodes run out, with any driver.
 */
export class StorageLoop {
  readonly #parts: StorageParts;
  /** By container. */
  #counted = new Map<string, CountedBytes>();
  #restUntilMs = 0;
  #filesAtMs = -Infinity;

  constructor(parts: StorageParts) {
    this.#parts = parts;
  }

  async run(signal: AbortSignal): Promise<void> {
    await everyInterval(async () => { await this.#look(); }, { ...this.#parts, intervalMs: LOOK_INTERVAL_MS, failure: 'what containers wrote was not looked at' }, signal);
  }

  async #look(): Promise<void> {
    const { records, clock, space } = this.#parts;
    const beganAtMs = clock.monotonicMs();
    const running = records().filter(({ step }) => step === 'running');
    if (running.length === 0 || beganAtMs < this.#restUntilMs) return;
    await this.#lookAtBytes(running, await space());
    if (clock.monotonicMs() - this.#filesAtMs >= FILES_INTERVAL_MS) {
      this.#filesAtMs = clock.monotonicMs();
      await this.#lookAtReserve(running, await space());
      await this.#lookAtFiles(running);
    }
    this.#restUntilMs = clock.monotonicMs() + (clock.monotonicMs() - beganAtMs) * REST_FACTOR;
  }

  async #lookAtBytes(running: readonly TaskRecord[], disk: DiskSpace): Promise<void> {
    const counted = new Map<string, CountedBytes>();
    for (const record of running) {
      const message = await this.#overBytes(record, disk, counted).catch((error: unknown) => {
        const why = tooLong(error);
        // The default limit is far from what it writes: the reserve ends it where that matters.
        return hasOwnLimit(record) ? why : undefined;
      });
      if (message !== undefined) this.#parts.onExceeded(record.task.id, record.attempt, message);
    }
    this.#counted = counted;
  }

  async #overBytes(record: TaskRecord, disk: DiskSpace, counted: Map<string, CountedBytes>): Promise<string | undefined> {
    const { snapshots, clock } = this.#parts;
    for (const { id, storageBytes } of containersOf(record)) {
      const limit = { bytes: storageBytes ?? defaultStorageBytes(disk), isDefault: storageBytes === undefined };
      const before = this.#counted.get(id);
      const atMs = clock.monotonicMs();
      if (before !== undefined) counted.set(id, before);
      if (!isCountDue(before, limit, { freeBytes: disk.freeBytes, atMs })) continue;
      const bytes = await snapshots.limit(id, limit.bytes) ? 0 : await snapshots.writableBytes(id);
      counted.set(id, { bytes, freeBytes: disk.freeBytes, atMs });
      if (bytes > limit.bytes) return bytesExceeded(bytes, limit);
    }
    return undefined;
  }

  /** Ends one at a time: what it held is free at a later look. */
  async #lookAtReserve(running: readonly TaskRecord[], disk: DiskSpace): Promise<void> {
    if (disk.freeBytes >= reserveBytes(disk)) return;
    const writers: { readonly record: TaskRecord; readonly bytes: number }[] = [];
    for (const record of running) {
      writers.push({ record, bytes: await this.#bytesOf(record) });
    }
    const largest = largestWriter(writers, disk);
    if (largest !== undefined) this.#parts.onExceeded(largest.record.task.id, largest.record.attempt, reserveTaken(largest.bytes, disk));
  }

  /** Of all its containers; without end where that cannot be counted. */
  async #bytesOf(record: TaskRecord): Promise<number> {
    let bytes = 0;
    for (const { id } of containersOf(record)) bytes += await this.#parts.snapshots.writableBytes(id).catch((error: unknown) => {
      tooLong(error);
      return Infinity;
    });
    return bytes;
  }

  async #lookAtFiles(running: readonly TaskRecord[]): Promise<void> {
    const use = await this.#parts.fileUse();
    for (const record of running) {
      const message = await this.#overFiles(record, use).catch(tooLong);
      if (message !== undefined) {
        this.#parts.onExceeded(record.task.id, record.attempt, message);
        return; // what it held is free at a later look
      }
    }
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

function hasOwnLimit(record: TaskRecord): boolean {
  return containersOf(record).some(({ storageBytes }) => storageBytes !== undefined);
}

/** Those of the attempt that run, or did. */
function containersOf({ task, attempt, companions = [] }: TaskRecord): readonly Written[] {
  const beside = companions.flatMap(({ run }, index) => {
    const limits = task.companions?.[index]?.container.limits;
    return run === 0 || limits === undefined ? [] : [{ id: containerId(task.id, attempt, { index, run }), storageBytes: limits.storageBytes }];
  });
  return [{ id: containerId(task.id, attempt), storageBytes: task.container.limits.storageBytes }, ...beside];
}
