/** Whole lines of one stream with a name in front; a line may come in pieces. Bytes of the lines stay as they are. */
const NEWLINE = 0x0a;

export class LinePrefixer {
  readonly #prefix: Uint8Array;
  /** Pieces of the line that has no end yet. */
  #rest: readonly Uint8Array[] = [];

  constructor(prefix: string) {
    this.#prefix = new TextEncoder().encode(prefix);
  }

  /** The lines that `bytes` complete. */
  take(bytes: Uint8Array): Uint8Array {
    const lines: Uint8Array[] = [];
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      lines.push(this.#prefix, ...this.#rest, bytes.subarray(start, end + 1));
      this.#rest = [];
      start = end + 1;
    }
    if (start < bytes.byteLength) {
      this.#rest = [...this.#rest, bytes.slice(start)];
    }
    return join(lines);
  }

  /** The last line, with the newline it did not have; nothing when there is none. */
  end(): Uint8Array {
    const rest = this.#rest;
    this.#rest = [];
    return rest.length === 0 ? new Uint8Array() : join([this.#prefix, ...rest, Uint8Array.of(NEWLINE)]);
  }
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.byteLength;
  }
  return whole;
}
