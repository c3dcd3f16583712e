import type { TaskId } from '#model/ids.ts';
import type { TaskStatus } from '#model/task.ts';
import type { TaskRecord } from './record.ts';

/**
 * Durable records of the tasks of this node.
 *
 * 1. When `save` or `appendStart` resolved, a crash of the machine does not lose it. 2. A record is wholly the old or wholly the new one.
 * 3. Fields that this version does not know survive a `save`. 4. `forget` removes the record and the logs; absent is fine.
 */
export interface TaskRecords {
  save(record: TaskRecord): Promise<void>;
  /** `corrupt` are tasks whose record could not be read; it was put aside. @throws ClusterError FAILED_PRECONDITION for records of a newer form */
  load(): Promise<{ readonly records: readonly TaskRecord[]; readonly corrupt: readonly TaskId[] }>;
  forget(task: TaskId): Promise<void>;
  /** The start journal: called once before each start of a container. */
  appendStart(task: TaskId, attempt: number): Promise<void>;
  /** The highest attempt that the journal knows of each task. */
  lastStarts(): Promise<ReadonlyMap<TaskId, number>>;
  /** Where the container's output goes; the directory exists once the record was saved. */
  logPath(task: TaskId, attempt: number): string;
}

/** Bundle directories, on a file system that need not survive a boot. */
export interface Bundles {
  /** Makes the directory anew with `files` (name to text) in it, and returns its path. */
  create(id: string, files: ReadonlyMap<string, string>): Promise<string>;
  pathOf(id: string): string;
  remove(id: string): Promise<void>;
  list(): Promise<readonly string[]>;
}

/** Where task loops say how things are. `report` takes the newest status; it never blocks. */
export interface StatusSink {
  report(status: TaskStatus): void;
  /** The task is no longer ours: nothing more to say. */
  drop(task: TaskId): void;
}

/** Asked right before each start, since the answer may have changed while the task waited (reliability 4.6). */
export interface StartPermit {
  /** `isFirst`: nothing of this task ever ran here. */
  mayStart(isFirst: boolean): boolean;
}
