import type { AssignedContent } from '#model/assignment.ts';
import type { Task } from '#model/task.ts';
import type { IdMapping } from '../snapshot/ports.ts';

/** Entry of `mounts` in the OCI config. Source: OCI runtime-spec, config.md, "Mounts" */
export interface OciMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

/** Owner of the files of a task. */
export interface FileOwner extends IdMapping {
  /** User of the container as ids inside; absent: `security.user` if it is a number, else 0:0. */
  readonly user?: { readonly uid: number; readonly gid: number };
}

/**
 * Volumes, configs and secrets of tasks as mounts.
 * `prepare` creates the directories, writes the files (secrets on a tmpfs) and returns the mounts.
 * If it throws, nothing of the task is left, and it may be repeated.
 * `remove` removes the files of the task and keeps named volumes, which belong to the namespace; it
 * may be repeated. `list` returns the keys with files.
 * Only `removeData` deletes a named volume (`volumeName`), which an operator gave up: after it
 * resolved nothing is left; an absent volume is fine. `newestUser` is the highest fence of the
 * tasks that `prepare` mounted the volume for, also by an earlier agent; undefined if there was
 * none, or only one of version 0.1.
 */
export interface Volumes {
  prepare(task: Task, key: string, owner: FileOwner, contents: ReadonlyMap<string, AssignedContent>): Promise<readonly OciMount[]>;
  remove(key: string): Promise<void>;
  list(): Promise<readonly string[]>;
  /** @throws ClusterError FAILED_PRECONDITION while a file system is mounted inside */
  removeData(volume: string): Promise<void>;
  newestUser(volume: string): Promise<number | undefined>;
  /**
   * Returns the size on disk, 0 if absent; undefined if there are too many files to count during a
   * request.
   */
  dataBytes(volume: string): Promise<number | undefined>;
  /**
   * Returns the secrets that are still in the files of the task, so that a new agent can restart
   * it.
   */
  recall(task: Task, key: string): Promise<readonly AssignedContent[]>;
}
