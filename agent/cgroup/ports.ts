import type { TaskResources } from '#model/resources.ts';
import type { ContainerUsage } from '../runtime/ports.ts';

/** Control groups of containers, v1 (per controller) or v2 (unified), chosen by what the host mounts. */
export interface Cgroups {
  /** `linux.cgroupsPath` for the OCI config of a container. */
  pathFor(containerId: string): string;
  /** Where its files are. */
  place(containerId: string): { readonly version: 1 | 2; readonly path: string; readonly directories: readonly string[] };
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
