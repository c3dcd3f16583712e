import type { AssignedContent } from '#model/assignment.ts';
import type { Task } from '#model/task.ts';
import type { IdMapping } from '../snapshot/ports.ts';

/** One entry of the OCI config's `mounts`. Source: OCI runtime-spec, config.md, "Mounts". */
export interface OciMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

/** Whose the files of a task are. */
export interface FileOwner extends IdMapping {
  /** The container's user as ids inside; absent: what `security.user` says where it is a number, else 0:0. */
  readonly user?: { readonly uid: number; readonly gid: number };
}

/**
 * Volumes, configs and secrets of tasks as mounts.
 *
 * `prepare` makes the directories, writes the files (secrets on a tmpfs) and returns the mounts; on throw nothing of the task is left, and a
 * repeat starts afresh. `remove` takes the task's files away and keeps named volumes, which belong to the namespace; removing what is not
 * there is fine. `list` names the keys that have files. `removeData` alone deletes a named volume (`volumeName`), for an operator who gave it up:
 * once it resolved nothing of it is left; absent is fine. `newestUser` is the highest fence of the tasks that `prepare` mounted it for since, also by
 * an earlier agent; undefined where there was none, or only one of version 0.1.
 */
export interface Volumes {
  prepare(task: Task, key: string, owner: FileOwner, contents: ReadonlyMap<string, AssignedContent>): Promise<readonly OciMount[]>;
  remove(key: string): Promise<void>;
  list(): Promise<readonly string[]>;
  /** @throws ClusterError FAILED_PRECONDITION while a file system is mounted in it */
  removeData(volume: string): Promise<void>;
  newestUser(volume: string): Promise<number | undefined>;
  /** On disk; undefined where it holds too many files to be counted while somebody waits. Absent is 0. */
  dataBytes(volume: string): Promise<number | undefined>;
  /** Secrets of the task that are still in its files: what an agent that started anew can restart it with. */
  recall(task: Task, key: string): Promise<readonly AssignedContent[]>;
}
