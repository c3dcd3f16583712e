import type { TaskResources } from '#model/resources.ts';
import type { ContainerUsage } from '../runtime/ports.ts';

/** Control groups of containers, v1 (per controller) or v2 (unified), as mounted on the host. */
export interface Cgroups {
  /** Returns `linux.cgroupsPath` for the OCI config of a container. */
  pathFor(containerId: string): string;
  /** Returns the directories of the container. */
  place(containerId: string): { readonly version: 1 | 2; readonly path: string; readonly directories: readonly string[] };
  /**
   * Returns the group of the task of the container, which lists, freezes and kills its processes:
   * they are in or below it.
   */
  taskPlace(containerId: string): { readonly version: 1 | 2; readonly directory: string };
  /** Announces that a process will move into a group within some milliseconds. */
  expectMove(): void;
  /**
   * Returns false for a process outside the group of the container; true if it no longer exists.
   */
  holds(containerId: string, pid: number): Promise<boolean>;
  /**
   * Returns its current processes, with ids as this process sees them; none if the group does not
   * exist.
   */
  processes(containerId: string): Promise<readonly number[]>;
  /** Returns the number of its processes and threads, and the limit (absent: none). */
  processCount(containerId: string): Promise<{ readonly count: number; readonly limit?: number }>;
  usage(containerId: string): Promise<ContainerUsage | undefined>;
  /**
   * Sets the limits of the container to `resources`; returns messages about limits that the kernel
   * of this node cannot enforce and that are optional.
   * After an error the limits are those of `before`, if it is given and the kernel accepts them.
   * @throws ClusterError FAILED_PRECONDITION naming the limit: memory below the usage, an unknown
   * cpu, I/O limits without a disk
   */
  limit(containerId: string, resources: TaskResources, before?: TaskResources): Promise<readonly string[]>;
  /**
   * Freezes all processes of its task. @throws ClusterError FAILED_PRECONDITION if one does not
   * freeze
   */
  freeze(containerId: string): Promise<void>;
  /** Thaws them; absent and never frozen groups are fine. */
  thaw(containerId: string): Promise<void>;
  /** Kills every process in it, until none is left. */
  killAll(containerId: string): Promise<void>;
  /** Removes the group; an absent one is fine. */
  remove(containerId: string): Promise<void>;
  list(): Promise<readonly string[]>;
}

/**
 * Kernel operations of control groups: each call is one system call. The real ones and those of
 * tests pass `cgroupsContract`.
 */
export interface GroupFiles {
  /** Returns undefined if the file, its group or its process does not exist. */
  read(path: string): string | undefined;
  /** Returns the names of the directories in `dir`; none if it does not exist. */
  directoriesIn(dir: string): readonly string[];
  /**
   * Writes into an existing file. @throws with the `code` of the kernel; ENOENT or ENODEV if file
   * or group does not exist
   */
  write(path: string, text: string): void;
  /** Writes in a thread, because the kernel may take time. */
  writeOnThread(path: string, text: string): Promise<void>;
  /**
   * Removes a group; an absent one is fine. @throws with `code` EBUSY while it has processes or
   * groups
   */
  remove(dir: string): void;
  /** Removes a plain directory with its content; an absent one is fine. */
  removePlain(dir: string): void;
  /** Sends SIGKILL; an exited process is fine. */
  kill(pid: number): void;
}
