import type { ContainerUsage } from '../runtime/ports.ts';

/** Control groups of containers, v1 (per controller) or v2 (unified), chosen by what the host mounts. */
export interface Cgroups {
  /** `linux.cgroupsPath` for the OCI config of a container. */
  pathFor(containerId: string): string;
  usage(containerId: string): Promise<ContainerUsage | undefined>;
  /** Kills every process in it, until none is left. */
  killAll(containerId: string): Promise<void>;
  /** Removes what is left of it; absent is fine. */
  remove(containerId: string): Promise<void>;
  list(): Promise<readonly string[]>;
}
