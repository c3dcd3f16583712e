/** How large the log of a container may be, and how often it is looked at. */

/** conmon begins a new file before one has more bytes than this, whether an agent runs or not. */
export const LOG_FILE_BYTES = 7_680 * 1024;
/** The current file and three older ones, `log`, `log.1`, `log.2`, `log.3`: 30 MiB at most. */
export const LOG_FILES = 4;

/** The longest time between two looks at a log. */
export const MAX_LOOK_MS = 500;
/** The shortest one. */
const MIN_LOOK_MS = 20;

/** What two looks at a log saw. */
export interface LogGrowth {
  /** Bytes that the current file got, or has where conmon began it meanwhile. */
  readonly bytes: number;
  /** conmon began a new file, so it wrote a whole one at least in part. */
  readonly isNewFile: boolean;
  readonly elapsedMs: number;
}

/** Time until the next look: at the speed seen, the log has then grown by half a file, so that no file comes and goes between two looks. */
export function nextLookMs({ bytes, isNewFile, elapsedMs }: LogGrowth): number {
  const written = bytes + (isNewFile ? LOG_FILE_BYTES : 0);
  const halfFileMs = written === 0 ? MAX_LOOK_MS : (LOG_FILE_BYTES / 2 / written) * Math.max(1, elapsedMs);
  return Math.max(MIN_LOOK_MS, Math.min(MAX_LOOK_MS, Math.floor(halfFileMs)));
}
