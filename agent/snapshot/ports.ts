/** Where the ids of a container's user namespace start on the host; 65,536 of them. */
export interface IdMapping {
  /** A file that names the user namespace: `/proc/PID/ns/user` or a bind mount of it. */
  readonly userNamespacePath: string;
  readonly hostBase: number;
}

/**
 * Root file systems of containers out of the layer store.
 *
 * 1. `prepare` mounts a writable file system of the layers at the returned path; lower layers are shared, never written.
 * 2. Files on disk keep ids 0..65535 in the layers; inside the container's user namespace they show as 0..65535.
 * 3. `remove` unmounts and deletes; removing what is not there is fine. 4. All paths derive from `key`: /^[a-z0-9][a-z0-9-]{0,62}$/.
 */
export interface RootfsSnapshotter {
  prepare(key: string, layers: readonly string[], mapping: IdMapping, signal: AbortSignal): Promise<{ readonly rootfsPath: string }>;
  remove(key: string): Promise<void>;
  /** Keys that have a directory or a mount, for recovery and audit. */
  list(): Promise<readonly string[]>;
  /** True while the file system of `key` is mounted. */
  isMounted(key: string): Promise<boolean>;
}
