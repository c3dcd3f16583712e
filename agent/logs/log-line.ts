/**
 * conmon's log format, as bytes: `TIME STREAM TAG CONTENT\n`; TAG is `F` for a whole line or its last part, `P` for an earlier part.
 *
 * Source: conmon, src/ctr_logging.c, write_k8s_log; the Kubernetes CRI logging format
 */
export interface LogRecord {
  /** As written, RFC 3339 with nanoseconds. */
  readonly timeText: string;
  readonly atMs: number;
  readonly stream: 'stdout' | 'stderr';
  /** More of the same line follows in a later record of the same stream. */
  readonly isPartial: boolean;
  /** With its newline, unless partial. */
  readonly bytes: Uint8Array;
}

/** `2026-11-24T12:56:22.758483754+00:00`, a space, `stdout`, a space: the tag's place is the same in every record. */
export const TAG_OFFSET = 43;
const TIME_LENGTH = 35;
const CONTENT_OFFSET = 45;
const FULL_TAG = 'F'.charCodeAt(0);
const NEWLINE = 10;

/** The record in one line with its newline; undefined when it is not one (torn by a crash). */
export function parseLogLine(line: Buffer): LogRecord | undefined {
  if (line.length <= CONTENT_OFFSET) {
    return undefined;
  }
  const timeText = line.toString('latin1', 0, TIME_LENGTH);
  const stream = line.toString('latin1', TIME_LENGTH + 1, TAG_OFFSET - 1);
  const atMs = Date.parse(timeText);
  if (Number.isNaN(atMs) || (stream !== 'stdout' && stream !== 'stderr')) {
    return undefined;
  }
  const isPartial = line[TAG_OFFSET] !== FULL_TAG;
  return { timeText, atMs, stream, isPartial, bytes: line.subarray(CONTENT_OFFSET, isPartial ? line.length - 1 : line.length) };
}

/** Whole lines of `buffer`, each with its newline, and what follows the last one. */
export function splitLines(buffer: Buffer): { readonly lines: readonly Buffer[]; readonly rest: Buffer } {
  const lines: Buffer[] = [];
  let start = 0;
  for (let end = buffer.indexOf(NEWLINE); end >= 0; end = buffer.indexOf(NEWLINE, start)) {
    lines.push(buffer.subarray(start, end + 1));
    start = end + 1;
  }
  return { lines, rest: buffer.subarray(start) };
}

/** Where the last lines of a file begin, found block by block from its end. */
export class TailScan {
  #missing: number;
  #laterStart: number | undefined;
  /** The newest record ends a line whatever its tag: the process may have ended without a newline. */
  #isNewest = true;

  /** @param count  whole lines wanted, at least 0 */
  constructor(count: number) {
    this.#missing = count;
  }

  /** A file whose last whole record ends at `end`; its records follow, newest first. */
  enter(end: number): void {
    this.#laterStart = end;
  }

  /**
   * Takes one more record, newest first: where it starts and its tag byte. Once more whole lines than wanted are seen, returns
   * where the wanted ones start.
   */
  visit(start: number, tag: number | undefined): number | undefined {
    const endsLine = this.#isNewest || tag === FULL_TAG;
    this.#isNewest = false;
    if (endsLine) {
      if (this.#missing === 0) {
        return this.#laterStart;
      }
      this.#missing -= 1;
    }
    this.#laterStart = start;
    return undefined;
  }
}
