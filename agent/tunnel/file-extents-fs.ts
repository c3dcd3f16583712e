/** Finds the parts of an open file that have data. */
import { findContents, findHole } from '../kernel/file-syscall.ts';
import type { Fragment } from '../snapshot/tar-sparse.ts';

/**
 * Maximum of parts: with two numbers of 16 digits and two newlines each, the map is below the 128
 * KiB that readers accept.
 */
const MAX_FRAGMENTS = 3_000;

/**
 * Returns the parts of a file that have data. The last part ends at the end of the file, and is
 * empty if the file ends in a hole. If there are more holes than a map may have, the last part
 * covers the rest.
 */
export function fileExtents(fd: number, sizeBytes: number): readonly Fragment[] {
  const found: Fragment[] = [];
  for (let at = 0; at < sizeBytes;) {
    const offset = findContents(fd, at) ?? sizeBytes;
    const end = found.length === MAX_FRAGMENTS - 1 ? sizeBytes : Math.min(findHole(fd, offset) ?? sizeBytes, sizeBytes);
    if (offset >= sizeBytes || end <= offset) break;
    found.push({ offset, lengthBytes: end - offset });
    at = end;
  }
  const last = found.at(-1);
  return last !== undefined && last.offset + last.lengthBytes === sizeBytes ? found : [...found, { offset: sizeBytes, lengthBytes: 0 }];
}
