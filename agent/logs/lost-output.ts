/** Output that a full disk did not take. */

/** What one look saw of a log on a full disk. */
export interface FullLog {
  /** Bytes that the container's monitor read from it so far. */
  readonly readBytes: number;
  /** Of the log file. */
  readonly logBytes: number;
}

/**
 * Bytes that the monitor read between two looks and the log did not grow by: a lower bound of what is lost, since each line takes more room in the
 * log than it has. 0 where none is sure to be lost.
 */
export function lostBytes(before: FullLog, now: FullLog): number {
  const grownBytes = Math.max(0, now.logBytes - before.logBytes);
  return Math.max(0, now.readBytes - before.readBytes - grownBytes);
}
