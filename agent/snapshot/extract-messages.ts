/** What the agent and the extractor say to each other: length-prefixed frames in, one JSON line a layer out. */
import { ClusterError } from '#model/errors.ts';
import type { ErrorCode } from '#model/errors.ts';
import { diskAnswer } from '../disk-pressure.ts';
import type { LayerLimits, LayerSummary } from './ports.ts';

export type Compression = 'gzip' | 'zstd' | 'none';

/** One layer to unpack. `id` names a new directory of the staging directory, with `tree` and `aside` in it. */
export interface ExtractJob {
  readonly id: string;
  readonly compression: Compression;
  /** Digest of the inflated tar, which must match. */
  readonly diffId: string;
  readonly limits: ExtractLimits;
}

export interface ExtractLimits extends LayerLimits {
  readonly maxInflatedBytes: number;
  /** Inflated bytes for each compressed one, counted once more than `ratioFloorBytes` came out. */
  readonly maxRatio: number;
  readonly ratioFloorBytes: number;
}

/** Source: README.md, "Limits". */
export const EXTRACT_LIMITS: ExtractLimits = {
  maxEntries: 200_000,
  maxFileBytes: 16 * 2 ** 30,
  maxPathBytes: 64 * 2 ** 20,
  maxId: 65_535,
  maxInflatedBytes: 8 * 2 ** 30,
  maxRatio: 1000,
  ratioFloorBytes: 64 * 2 ** 20,
};

export type ExtractReply =
  | { readonly kind: 'done'; readonly summary: LayerSummary }
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly message: string; readonly isDiskFull?: true };

/** A frame's length as four bytes, big-endian; 0 ends the layer. */
export function frameHeader(lengthBytes: number): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(lengthBytes);
  return header;
}

/** Cuts a byte stream into what its frames hold; a frame may come in pieces. The job's frame is always whole. */
export class FrameReader {
  #header = Buffer.alloc(0);
  #left = 0;
  #isJob = true;
  #job: Buffer[] = [];

  /** What `chunk` brings, in order. */
  read(chunk: Buffer): readonly FramePiece[] {
    const pieces: FramePiece[] = [];
    for (let at = 0; at < chunk.length;) {
      if (this.#left === 0) {
        const taken = chunk.subarray(at, at + 4 - this.#header.length);
        at += taken.length;
        this.#header = Buffer.concat([this.#header, taken]);
        if (this.#header.length === 4) this.#begin(pieces);
        continue;
      }
      const body = chunk.subarray(at, at + this.#left);
      at += body.length;
      this.#left -= body.length;
      this.#takeBody(body, pieces);
    }
    return pieces;
  }

  #begin(pieces: FramePiece[]): void {
    this.#left = this.#header.readUInt32BE();
    this.#header = Buffer.alloc(0);
    if (this.#left === 0) {
      this.#isJob = true;
      pieces.push({ kind: 'end' });
    }
  }

  #takeBody(body: Buffer, pieces: FramePiece[]): void {
    if (!this.#isJob) {
      pieces.push({ kind: 'bytes', bytes: body });
      return;
    }
    this.#job.push(body);
    if (this.#left === 0) {
      pieces.push({ kind: 'job', job: JSON.parse(Buffer.concat(this.#job).toString('utf8')) as ExtractJob });
      this.#job = [];
      this.#isJob = false;
    }
  }
}

export type FramePiece =
  | { readonly kind: 'job'; readonly job: ExtractJob }
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  | { readonly kind: 'end' };

/** The answer for a failed layer: what the image did wrong, what the node lacks, or else INTERNAL. */
export function refusalOf(error: unknown): ExtractReply & { kind: 'refused' } {
  if (error instanceof ClusterError) {
    return { kind: 'refused', code: error.code, message: error.message };
  }
  const answer = diskAnswer(error);
  if (answer !== undefined) {
    return { kind: 'refused', code: 'RESOURCE_EXHAUSTED', message: answer, isDiskFull: true };
  }
  const code = codeOf(error);
  if (/^(?:Z_|ZSTD_|ERR_ZSTD|ERR_ZLIB)/.test(code)) {
    return { kind: 'refused', code: 'FAILED_PRECONDITION', message: explainInflate(error) };
  }
  return { kind: 'refused', code: 'INTERNAL', message: error instanceof Error ? error.message : String(error) };
}

/** Source: zlib's own messages, inflate.c and Node's "unexpected end of file". */
function explainInflate(error: unknown): string {
  const said = error instanceof Error ? error.message : '';
  if (/incorrect (?:data|length) check/.test(said)) {
    return 'layer gzip checksum mismatch';
  }
  return /unexpected end/.test(said) ? 'compressed layer ends early' : `layer cannot be inflated: ${said}`;
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
