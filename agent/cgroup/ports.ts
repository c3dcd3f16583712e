import type { TaskResources } from '#model/resources.ts';
import type { ContainerUsage } from '../runtime/ports.ts';

/** Control groups of containers, v1 (per controller) or v2 (unified), chosen by what the host mounts. */
export interface Cgroups {
  /** `linux.cgroupsPath` for the OCI config of a container. */
  pathFor(containerId: string): string;
  /** Where its files are. */
  place(containerId: string): { readonly version: 1 | 2; readonly path: string; readonly directories: readonly string[] };
  /** The group of the container's task, which lists, freezes and kills its processes: they are in it or below. */
  taskPlace(containerId: string): { readonly version: 1 | 2; readonly directory: string };
  /** A process will move into a group within some milliseconds. */
  expectMove(): void;
  /** False when the process is somebody else's to limit: outside the group of the container. True for one that is gone. */
  holds(containerId: string, pid: number): Promise<boolean>;
  /** Its processes now, as this process sees their ids; none when it is not there. */
  processes(containerId: string): Promise<readonly number[]>;
  /** Processes and threads in it, and how many there may be (absent: no limit). */
  processCount(containerId: string): Promise<{ readonly count: number; readonly limit?: number }>;
  usage(containerId: string): Promise<ContainerUsage | undefined>;
  /**
   * Holds the container to `resources`; what the kernel of this node cannot enforce, but may do without, is answered in words.
   *
   * On throw the limits are as `before` says, where it is given and the kernel takes it.
   * @throws ClusterError FAILED_PRECONDITION naming the limit: memory below what is in use, a cpu that is not there, io without a disk
   */
  limit(containerId: string, resources: TaskResources, before?: TaskResources): Promise<readonly string[]>;
  /** No process of its task runs on once this resolved. @throws ClusterError FAILED_PRECONDITION when one does not stand still */
  freeze(containerId: string): Promise<void>;
  /** They run on; absent and never frozen are fine. */
  thaw(containerId: string): Promise<void>;
  /** Kills every process in it, until none is left. */
  killAll(containerId: string): Promise<void>;
  /** Removes what is left of it; absent is fine. */
  remove(containerId: string): Promise<void>;
  list(): Promise<readonly string[]>;
}

/** The kernel under control groups: each call is one system call. The real ones and the tests' pass `cgroupsContract`. */
export interface GroupFiles {
  /** Undefined where the file, its group or its process is not there. */
  read(path: string): string | undefined;
  /** Names of the directories in `dir`; none where it is not there. */
  directoriesIn(dir: string): readonly string[];
  /** Into a file that is there. @throws with the kernel's `code`; ENOENT or ENODEV where file or group is not there */
  write(path: string, text: string): void;
  /** The same where the kernel may take its time. */
  writeOnThread(path: string, text: string): Promise<void>;
  /** Removes a group; absent is fine. @throws with `code` EBUSY while it has processes or groups */
  remove(dir: string): void;
  /** Removes a directory that is no group, with all in it; absent is fine. */
  removePlain(dir: string): void;
  /** SIGKILL; a process that is gone is fine. */
  kill(pid: number): void;
}
