/** The header of a gzip member. Source: RFC 1952 section 2.3 */

export type GzipHeader =
  | { readonly kind: 'whole'; readonly lengthBytes: number }
  /** All is well so far, and more is needed. */
  | { readonly kind: 'begun' }
  | { readonly kind: 'bad'; readonly why: string };

const FIXED_BYTES = 10;
const MAGIC = [0x1f, 0x8b];
const METHOD_DEFLATE = 8;
const FLAG_CRC = 0x02;
const FLAG_EXTRA = 0x04;
const FLAG_NAME = 0x08;
const FLAG_COMMENT = 0x10;
const RESERVED_FLAGS = 0xe0;
/** A longer name or comment is refused: it would be held until its end. */
const MAX_BYTES = 128 * 1024;

/** What `bytes`, which begin a member, say of its header. Problems are in zlib's words. */
export function readGzipHeader(bytes: Uint8Array, crc32: (bytes: Uint8Array) => number): GzipHeader {
  const flags = bytes[3] ?? 0;
  const why = problemOf(bytes, flags);
  if (why !== undefined) {
    return { kind: 'bad', why };
  }
  const end = endOfFields(bytes, flags);
  const lengthBytes = end + ((flags & FLAG_CRC) === 0 ? 0 : 2);
  if (lengthBytes > bytes.length) {
    return bytes.length > MAX_BYTES ? { kind: 'bad', why: `header of more than ${String(MAX_BYTES)} bytes` } : { kind: 'begun' };
  }
  if (lengthBytes > end && (crc32(bytes.subarray(0, end)) & 0xffff) !== numberAt(bytes, end)) {
    return { kind: 'bad', why: 'header crc mismatch' };
  }
  return { kind: 'whole', lengthBytes };
}

function problemOf(bytes: Uint8Array, flags: number): string | undefined {
  if (MAGIC.some((value, at) => at < bytes.length && bytes[at] !== value)) return 'incorrect header check';
  if (bytes.length > 2 && bytes[2] !== METHOD_DEFLATE) return 'unknown compression method';
  return (flags & RESERVED_FLAGS) === 0 ? undefined : 'unknown header flags set';
}

/** Where the fields before the checksum end; beyond `bytes` when that is not known yet. */
function endOfFields(bytes: Uint8Array, flags: number): number {
  let end = FIXED_BYTES;
  if ((flags & FLAG_EXTRA) !== 0) end += 2 + (end + 2 > bytes.length ? bytes.length : numberAt(bytes, end));
  if ((flags & FLAG_NAME) !== 0) end = afterNul(bytes, end);
  if ((flags & FLAG_COMMENT) !== 0) end = afterNul(bytes, end);
  return end;
}

function numberAt(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) + (bytes[at + 1] ?? 0) * 256;
}

function afterNul(bytes: Uint8Array, from: number): number {
  const at = from >= bytes.length ? -1 : bytes.indexOf(0, from);
  return at < 0 ? bytes.length + 1 : at + 1;
}
