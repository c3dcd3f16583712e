/** gzip by Intel's ISA-L, which inflates three times as fast as zlib. Not every machine has the library. */
import { crc32, gzipSync } from 'node:zlib';
import koffi from 'koffi';
import { readGzipHeader } from './gzip-header.ts';

/** Of one call: a pipe's piece, and what it may become. */
const INPUT_BYTES = 64 * 1024;
const OUTPUT_BYTES = 256 * 1024;
/** More than any version's struct inflate_state has; 87,368 bytes in 2.31. */
const STATE_BYTES = 256 * 1024;

/** Offsets in struct inflate_state of soname 2 on 64-bit machines; `isAsKnown` checks them. Source: isa-l/igzip_lib.h */
const NEXT_OUT = 0;
const AVAIL_OUT = 8;
const NEXT_IN = 16;
const AVAIL_IN = 32;
const BLOCK_STATE = 21_160;
const CRC_FLAG = 21_172;
/** Source: isa-l/igzip_lib.h, enum isal_block_state. */
const ISAL_BLOCK_FINISH = 5;
/** The checksum after the contents is compared; the header is ours, since ISA-L misreads one with a name and a comment that comes in pieces. Source: isa-l/igzip_lib.h. */
const ISAL_GZIP_NO_HDR_VER = 6;
const IS_LITTLE_ENDIAN = true;

/** What a negative answer means, in zlib's words. Source: isa-l/igzip_lib.h, "Inflate_return_values" */
const PROBLEMS: Readonly<Record<number, string>> = {
  [-1]: 'invalid block type', [-2]: 'invalid code', [-3]: 'invalid distance too far back', [-6]: 'incorrect data check',
};

interface Library {
  readonly init: (state: unknown) => void;
  readonly inflate: (state: unknown) => number;
}

/** What is no gzip stream; `code` as zlib's errors have it. */
export class InflateError extends Error {
  override readonly name = 'InflateError';
  readonly code: 'Z_DATA_ERROR' | 'Z_BUF_ERROR';

  constructor(message: string, code: InflateError['code']) {
    super(message);
    this.code = code;
  }
}

/** Where in a stream the next byte is; zeros may stand after a member. */
type Place = 'header' | 'contents' | 'after';

/**
 * One gzip stream after another; the members of a stream follow each other, and zeros after one are padding, as zlib's callers have it.
 *
 * @throws InflateError
 * Source: RFC 1952
 */
export class FastGunzip {
  readonly #library: Library;
  readonly #state = koffi.alloc('uint8_t', STATE_BYTES) as unknown;
  readonly #fields = new DataView(koffi.view(this.#state, STATE_BYTES));
  readonly #input = koffi.alloc('uint8_t', INPUT_BYTES) as unknown;
  readonly #inputBytes = new Uint8Array(koffi.view(this.#input, INPUT_BYTES));
  readonly #output = koffi.alloc('uint8_t', OUTPUT_BYTES) as unknown;
  readonly #outputBytes = Buffer.from(koffi.view(this.#output, OUTPUT_BYTES));
  #place: Place = 'header';
  /** Of a header that is not whole yet. */
  #header = new Uint8Array();

  private constructor(library: Library) {
    this.#library = library;
  }

  /** Undefined where the library is not installed, or is not the one whose state is known. */
  static open(): FastGunzip | undefined {
    let library: Library;
    try {
      const isal = koffi.load('libisal.so.2');
      library = { init: isal.func('void isal_inflate_init(void *)'), inflate: isal.func('int isal_inflate(void *)') };
    } catch {
      return undefined; // not installed
    }
    const gunzip = new FastGunzip(library);
    return gunzip.#isAsKnown() ? gunzip : undefined;
  }

  /** Forgets a stream that was begun. */
  begin(): void {
    this.#place = 'header';
    this.#header = new Uint8Array();
  }

  /** What the stream's next bytes inflate to; each piece is good until the next is asked for. */
  *write(bytes: Uint8Array): Generator<Uint8Array> {
    for (let rest = bytes; rest.length > 0;) {
      switch (this.#place) {
        case 'header':
          rest = this.#takeHeader(rest);
          break;
        case 'contents':
          rest = rest.subarray(yield *this.#inflate(rest.subarray(0, INPUT_BYTES)));
          break;
        case 'after':
          rest = withoutZeros(rest);
          if (rest.length > 0) this.#place = 'header';
      }
    }
  }

  /** The stream ends here. */
  end(): void {
    if (this.#place !== 'after') {
      throw new InflateError('unexpected end of file', 'Z_BUF_ERROR');
    }
  }

  /** What follows the header; nothing when it is not whole yet. */
  #takeHeader(bytes: Uint8Array): Uint8Array {
    const begun = Buffer.concat([this.#header, bytes]);
    const header = readGzipHeader(begun, crc32);
    if (header.kind === 'bad') {
      throw new InflateError(header.why, 'Z_DATA_ERROR');
    }
    if (header.kind === 'begun') {
      this.#header = begun;
      return begun.subarray(begun.length);
    }
    this.#header = new Uint8Array();
    this.#place = 'contents';
    this.#library.init(this.#state);
    this.#fields.setUint32(CRC_FLAG, ISAL_GZIP_NO_HDR_VER, IS_LITTLE_ENDIAN);
    return begun.subarray(header.lengthBytes);
  }

  /** @returns how many of `bytes` the member has */
  *#inflate(bytes: Uint8Array): Generator<Uint8Array, number> {
    this.#inputBytes.set(bytes);
    this.#fields.setBigUint64(NEXT_IN, koffi.address(this.#input), IS_LITTLE_ENDIAN);
    this.#fields.setUint32(AVAIL_IN, bytes.length, IS_LITTLE_ENDIAN);
    for (;;) {
      this.#fields.setBigUint64(NEXT_OUT, koffi.address(this.#output), IS_LITTLE_ENDIAN);
      this.#fields.setUint32(AVAIL_OUT, OUTPUT_BYTES, IS_LITTLE_ENDIAN);
      const outcome = this.#library.inflate(this.#state);
      const producedBytes = OUTPUT_BYTES - this.#fields.getUint32(AVAIL_OUT, IS_LITTLE_ENDIAN);
      if (producedBytes > 0) yield this.#outputBytes.subarray(0, producedBytes);
      if (outcome < 0) {
        throw new InflateError(PROBLEMS[outcome] ?? `ISA-L answers ${String(outcome)}`, 'Z_DATA_ERROR');
      }
      const leftBytes = this.#fields.getUint32(AVAIL_IN, IS_LITTLE_ENDIAN);
      if (this.#fields.getUint32(BLOCK_STATE, IS_LITTLE_ENDIAN) === ISAL_BLOCK_FINISH) {
        this.#place = 'after';
        return bytes.length - leftBytes;
      }
      if (leftBytes === 0 && producedBytes < OUTPUT_BYTES) {
        return bytes.length;
      }
    }
  }

  /** A version with another state would neither say its end nor give the text. */
  #isAsKnown(): boolean {
    const text = Buffer.from('gantry '.repeat(100));
    const pieces: Buffer[] = [];
    try {
      for (const byte of gzipSync(text)) {
        if (this.#place === 'after') return false;
        for (const piece of this.write(Uint8Array.of(byte))) pieces.push(Buffer.from(piece));
      }
      return this.#place === 'after' && Buffer.concat(pieces).equals(text);
    } catch {
      return false; // not what it should be
    } finally {
      this.begin();
    }
  }
}

function withoutZeros(bytes: Uint8Array): Uint8Array {
  const first = bytes.findIndex(byte => byte !== 0);
  return bytes.subarray(first < 0 ? bytes.length : first);
}
