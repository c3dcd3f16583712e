/** How much of a container's log the disk keeps, and where one of its files ends. */

/** The current file and three older ones: `log`, `log.1`, `log.2`, `log.3`. */
export const LOG_FILES = 4;
/** No file is larger, so the files of one container are at most 30 MiB. */
export const LOG_FILE_BYTES = 7_680 * 1024;
/** Longer than any record that conmon writes; a file ends with the first record that ends in its last part of this size. */
const RECORD_ROOM_BYTES = 16 * 1024;
const NEWLINE = 10;

export interface Cut {
  /** Bytes of the chunk that belong to the current file; at least 1. */
  readonly length: number;
  /** What follows belongs to the next file. */
  readonly isFull: boolean;
}

/** @param chunk  not empty. @param fileBytes  below LOG_FILE_BYTES */
export function cutChunk(chunk: Uint8Array, fileBytes: number): Cut {
  const roomBytes = LOG_FILE_BYTES - fileBytes;
  const earliest = roomBytes - RECORD_ROOM_BYTES;
  if (chunk.length < earliest) {
    return { length: chunk.length, isFull: false };
  }
  const end = chunk.indexOf(NEWLINE, Math.max(0, earliest - 1)) + 1;
  const length = Math.min(roomBytes, end > 0 ? end : chunk.length);
  return { length, isFull: end > 0 || length === roomBytes };
}

/** The current one first. */
export function logFileNames(path: string): readonly string[] {
  return Array.from({ length: LOG_FILES }, (_, index) => index === 0 ? path : `${path}.${String(index)}`);
}
