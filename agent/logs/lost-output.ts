/** Output that a full disk did not take. */

/** What one look saw of a log on a full disk: by its writer, or of one that conmon writes itself. */
export type FullLog = { readonly droppedBytes: number } | AsideFullLog;

export interface AsideFullLog {
  /** Bytes that the container's monitor read from it so far. */
  readonly readBytes: number;
  /** Of the log file. */
  readonly logBytes: number;
}

/**
 * What the log writer dropped of late; else bytes that the monitor read between two looks and the log did not grow by: about what is lost. Each line takes more room in the log than it has, and
 * what the monitor read from an attached client counts too. 0 where nothing can be said: the log was moved aside meanwhile, or the monitor is another.
 */
export function lostBytes(before: FullLog | undefined, now: FullLog): number {
  if ('droppedBytes' in now) return now.droppedBytes;
  if (before === undefined || 'droppedBytes' in before) return 0;
  const grownBytes = now.logBytes - before.logBytes;
  return grownBytes < 0 ? 0 : Math.max(0, now.readBytes - before.readBytes - grownBytes);
}
