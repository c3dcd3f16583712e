/** The mount of a container's root file system, as values. */
import path from 'node:path';

export interface OverlayDirectories {
  readonly top: string;
  readonly upper: string;
  readonly work: string;
  readonly rootfs: string;
  /** Where the layer store shows with the container's ids while the overlay is mounted. */
  readonly lower: string;
}

export type OverlayMount =
  /** One mount(2); `options` fits its page. */
  | { readonly kind: 'options'; readonly options: string }
  /** Step by step: fsconfig(2) with these keys and values, Linux 6.7 and later. */
  | { readonly kind: 'steps'; readonly steps: readonly (readonly [key: string, value: string])[] };

/** Source: mount(2): data is copied as one page, its last byte NUL. */
const MAX_OPTION_BYTES = 4095;
/** Source: cgroup-free file name of a task's attempt; ports.ts rule 4. */
const KEY = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** @throws RangeError for a key that is none: it becomes a path */
export function overlayDirectories(snapshotsPath: string, key: string): OverlayDirectories {
  const top = path.join(snapshotsPath, requireKey(key));
  return {
    top, upper: path.join(top, 'upper'), work: path.join(top, 'work'), rootfs: path.join(top, 'rootfs'), lower: path.join(top, 'l'),
  };
}

/** @throws RangeError for a key that is none: it becomes a path */
export function requireKey(key: string): string {
  if (!KEY.test(key)) {
    throw new RangeError(`snapshot key ${JSON.stringify(key)} is not ${String(KEY)}`);
  }
  return key;
}

/**
 * How to mount `layers` (names under `directories.lower`, lowest first, at least one) with the upper directory above them.
 *
 * Source: overlayfs.rst, "Multiple lower layers" (topmost first), "lowerdir+"
 */
export function planOverlay(directories: OverlayDirectories, layers: readonly string[]): OverlayMount {
  const lower = [...layers].reverse().map(name => path.join(directories.lower, name));
  const options = `lowerdir=${lower.map(escaped).join(':')},upperdir=${escaped(directories.upper)},workdir=${escaped(directories.work)}`;
  if (Buffer.byteLength(options) <= MAX_OPTION_BYTES) {
    return { kind: 'options', options };
  }
  return {
    kind: 'steps',
    steps: [...lower.map(directory => ['lowerdir+', directory] as const), ['upperdir', directories.upper], ['workdir', directories.work]],
  };
}

/** Source: overlayfs.rst: a colon in a lower directory's name is escaped by a backslash; fs/overlayfs/params.c: a comma too. */
function escaped(directory: string): string {
  return directory.replaceAll(/[\\:,]/g, '\\$&');
}

/** Mount points of /proc/PID/mountinfo, in its order. Source: proc_pid_mountinfo(5), field 5; space, tab, newline, backslash as octal. */
export function parseMountPoints(mountinfo: string): readonly string[] {
  return mountinfo.split('\n').filter(line => line !== '').map(line => (line.split(' ')[4] ?? '').replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))));
}

/** Directories that the runtime mounts over: made when absent, refused when a link or file (crun writes through a link at /dev: CVE-2026-47766). */
export const RUNTIME_DIRECTORIES = ['dev', 'proc', 'sys'] as const;

/** What every task's files are mounted over. Source: hostname(5), hosts(5), resolv.conf(5) */
export const RUNTIME_FILES = ['etc/hostname', 'etc/hosts', 'etc/resolv.conf'] as const;

/** The layer below all others, with these directories and files: an image that lacks them costs no container the making of its own. No layer's name. */
export const MOUNT_POINTS_LAYER = 'mount-points';
