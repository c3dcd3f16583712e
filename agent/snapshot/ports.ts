/** Where the ids of a container's user namespace start on the host; 65,536 of them. */
export interface IdMapping {
  /** A file that names the user namespace: `/proc/PID/ns/user` or a bind mount of it. Absent: the container has the machine's ids (`userns: host`). */
  readonly userNamespacePath?: string;
  readonly hostBase: number;
}

/** How root file systems are made: layers below a directory of the container's own, a snapshot of a subvolume, a copy. */
export type SnapshotDriver = 'overlay' | 'btrfs' | 'vfs';

/**
 * Root file systems of containers out of the layer store.
 *
 * 1. `prepare` mounts a writable file system of the layers at the returned path; layers and other containers never see what is written.
 * 2. Files on disk keep ids 0..65535; inside the container's user namespace they show as 0..65535.
 * 3. `remove` unmounts and deletes; removing what is not there is fine. 4. All paths derive from `key`: /^[a-z0-9][a-z0-9-]{0,62}$/.
 * 5. What an earlier process left in the middle of a call is in `list`, and `remove` takes it away.
 */
export interface RootfsSnapshotter {
  readonly driver: SnapshotDriver;
  prepare(key: string, layers: readonly string[], mapping: IdMapping, signal: AbortSignal): Promise<{ readonly rootfsPath: string }>;
  remove(key: string): Promise<void>;
  /** Keys that have a directory or a mount, for recovery and audit. */
  list(): Promise<readonly string[]>;
  /** True while the file system of `key` is mounted. */
  isMounted(key: string): Promise<boolean>;
  /** Bytes on disk of the files that were written or changed since `prepare`, each whole; 0 when there is none of that key. */
  writableBytes(key: string): Promise<number>;
  /** True when there are at least `count` files among these. */
  holdsFiles(key: string, count: number): Promise<boolean>;
  /** Lets the container write at most `bytes` (undefined: any number) from now on; false where the driver cannot, or nothing is there. Said again, it changes nothing. */
  limit(key: string, bytes: number | undefined): Promise<boolean>;
}

export interface LayerLimits {
  readonly maxEntries: number;
  readonly maxFileBytes: number;
  /** All names together: what the writer remembers until the end. */
  readonly maxPathBytes: number;
  readonly maxId: number;
}

export interface LayerSummary {
  readonly entries: number;
  readonly fileBytes: number;
  readonly skippedDevices: number;
  /** The layer's root is opaque: no layer below it shows. overlayfs does not read the mark there, so the stack is cut instead. */
  readonly hidesLower: boolean;
  /**
   * Directories that entries are in and no entry is for, the root ('') among them, raw paths as latin1, parents first: what lower layers have there decides what they are.
   * Absent: none.
   */
  readonly impliedDirectories?: readonly string[];
  /** Directories that whiteouts are in, raw paths as latin1. Absent: none. */
  readonly whiteoutDirectories?: readonly string[];
  /** Hardlinks whose target this layer does not have, in order. Absent: none. */
  readonly linksBelow?: readonly LinkBelow[];
}

/** Raw paths as latin1. */
export interface LinkBelow {
  readonly path: string;
  readonly target: string;
}
