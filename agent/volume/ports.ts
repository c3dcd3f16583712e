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

/**
 * Volumes, configs and secrets of tasks as mounts.
 *
 * `prepare` makes the directories, writes the files (secrets on a tmpfs) and returns the mounts; `remove` takes the task's files away and
 * keeps named volumes, which belong to the namespace. Volume names: `NAMESPACE/NAME`, per replica `NAMESPACE/NAME-SLOT`.
 */
export interface Volumes {
  prepare(task: Task, key: string, mapping: IdMapping, contents: ReadonlyMap<string, AssignedContent>): Promise<readonly OciMount[]>;
  remove(key: string): Promise<void>;
  list(): Promise<readonly string[]>;
}
