/** Where the frames of a zstd stream begin and end. Source: RFC 8878, section 3.1 */

/** Of a frame with data, little-endian; a skippable one may have any last four bits. Source: RFC 8878, sections 3.1.1 and 3.1.2 */
const MAGIC = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd);
const SKIPPABLE_MAGIC = 0x184d_2a5;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];
const CHECKSUM_BYTES = 4;
const RLE_BLOCK = 1;
const RESERVED_BLOCK = 3;

/** What is no zstd stream; `code` as Node's errors have it. */
export class ZstdFrameError extends Error {
  override readonly name = 'ZstdFrameError';
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}

/** What the next bytes are: fields that are read, and what is only as long as they say. */
type Place = 'magic' | 'skipped-size' | 'skipped' | 'descriptor' | 'header' | 'block-header' | 'block' | 'checksum';

const FIELD_BYTES: Readonly<Partial<Record<Place, number>>> = { 'magic': 4, 'skipped-size': 4, 'descriptor': 1, 'block-header': 3 };

/**
 * Cuts a stream of several frames at their ends and leaves out skippable ones: Node's decompressor forgets what follows a frame in the same write.
 *
 * @throws ZstdFrameError for what is no frame, and at an end in the middle of one
 */
export class ZstdFrames {
  #place: Place = 'magic';
  /** Bytes until the place ends. */
  #left = 4;
  /** Of a field, what was read of it. */
  #field = 0;
  #fieldBytes = 0;
  #hasChecksum = false;
  #isLastBlock = false;

  /** Views of `bytes`, in order; none has bytes of two frames. */
  write(bytes: Uint8Array): readonly Uint8Array[] {
    const pieces: Uint8Array[] = [];
    let begin = 0;
    for (let at = 0; at < bytes.length;) {
      const part = bytes.subarray(at, at + this.#left);
      at += part.length;
      this.#left -= part.length;
      this.#read(part);
      const wasInFrame = this.#isInFrame();
      while (this.#left === 0) this.#advance();
      if (!wasInFrame && this.#isInFrame()) {
        pieces.push(MAGIC);
        begin = at;
      } else if (wasInFrame && !this.#isInFrame()) {
        pieces.push(bytes.subarray(begin, at));
      }
    }
    return this.#isInFrame() && begin < bytes.length ? [...pieces, bytes.subarray(begin)] : pieces;
  }

  /** The stream ends here. */
  end(): void {
    if (this.#place !== 'magic' || this.#fieldBytes > 0) {
      throw new ZstdFrameError('unexpected end of file', 'Z_BUF_ERROR');
    }
  }

  #isInFrame(): boolean {
    return this.#place !== 'magic' && this.#place !== 'skipped-size' && this.#place !== 'skipped';
  }

  #read(part: Uint8Array): void {
    if (FIELD_BYTES[this.#place] === undefined) return;
    for (const byte of part) {
      this.#field += byte * 2 ** (8 * this.#fieldBytes);
      this.#fieldBytes += 1;
    }
  }

  /** From a place that ended to the next. */
  #advance(): void {
    const field = this.#field;
    switch (this.#place) {
      case 'magic':
        this.#enter(frameKind(field));
        return;
      case 'skipped-size':
        this.#enter('skipped', field);
        return;
      case 'descriptor':
        this.#hasChecksum = (field & 4) !== 0;
        this.#enter('header', headerBytes(field));
        return;
      case 'block-header':
        this.#isLastBlock = (field & 1) !== 0;
        this.#enter('block', blockBytes(field));
        return;
      case 'header':
        this.#enter('block-header');
        return;
      case 'block':
        if (!this.#isLastBlock) this.#enter('block-header');
        else this.#enter('checksum', this.#hasChecksum ? CHECKSUM_BYTES : 0);
        return;
      case 'skipped':
      case 'checksum':
        this.#enter('magic');
    }
  }

  #enter(place: Place, bytes = FIELD_BYTES[place] ?? 0): void {
    this.#place = place;
    this.#left = bytes;
    this.#field = 0;
    this.#fieldBytes = 0;
  }
}

function frameKind(magic: number): 'descriptor' | 'skipped-size' {
  if (MAGIC.every((byte, index) => byte === Math.floor(magic / 2 ** (8 * index)) % 256)) return 'descriptor';
  if (Math.floor(magic / 16) === SKIPPABLE_MAGIC) return 'skipped-size';
  throw new ZstdFrameError('unknown frame: neither one with data nor one to skip', 'ZSTD_error_prefix_unknown');
}

/** Of the header behind its descriptor. Source: RFC 8878, section 3.1.1.1 */
function headerBytes(descriptor: number): number {
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const contentSizeFlag = descriptor >> 6;
  const contentSizeBytes = contentSizeFlag === 0 && isSingleSegment ? 1 : CONTENT_SIZE_BYTES[contentSizeFlag] ?? 0;
  return (isSingleSegment ? 0 : 1) + (DICTIONARY_ID_BYTES[descriptor & 3] ?? 0) + contentSizeBytes;
}

/** Of a block behind its header; one byte repeated is one byte. Source: RFC 8878, section 3.1.1.2 */
function blockBytes(header: number): number {
  const type = (header >> 1) & 3;
  if (type === RESERVED_BLOCK) {
    throw new ZstdFrameError('reserved block type', 'ZSTD_error_corruption_detected');
  }
  return type === RLE_BLOCK ? 1 : header >> 3;
}
