/**
 * One 512-byte tar header as values, and the records of a PAX header. Names are latin1 strings: one character a byte.
 *
 * Source: POSIX.1-2017 pax, "ustar Interchange Format" and "pax Interchange Format"; GNU tar manual, "Basic Tar Format" (base-256, L, K)
 */
import { ClusterError } from '#model/errors.ts';

export const BLOCK_BYTES = 512;
export type EntryType = 'file' | 'directory' | 'symlink' | 'hardlink' | 'device' | 'fifo' | 'socket';

/** A file in GNU's old sparse format: its header goes on with a map. */
export type SparseType = 'old-sparse';

/** Entries that carry names or records for the entry after them. */
export type MetaType = 'pax' | 'pax-global' | 'long-name' | 'long-link';

export interface TarTime {
  readonly seconds: number;
  readonly nanoseconds: number;
}

export interface TarHeader {
  readonly type: EntryType | MetaType | SparseType;
  readonly name: string;
  readonly linkName: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly time: TarTime;
}

const TYPES: Readonly<Record<string, TarHeader['type']>> = {
  '\0': 'file', '0': 'file', '7': 'file', '1': 'hardlink', '2': 'symlink', '3': 'device', '4': 'device', '5': 'directory', '6': 'fifo', s: 'socket', S: 'old-sparse',
  x: 'pax', g: 'pax-global', L: 'long-name', K: 'long-link',
};

/** The header in `block`, or undefined for a block of zeros, which ends an archive. `offset` is its place, for messages. @throws ClusterError FAILED_PRECONDITION */
export function parseTarHeader(block: Uint8Array, offset: number): TarHeader | undefined {
  const bytes = Buffer.from(block.buffer, block.byteOffset, BLOCK_BYTES);
  if (bytes.every(byte => byte === 0)) {
    return undefined;
  }
  const bad = (why: string): ClusterError => new ClusterError('FAILED_PRECONDITION', `bad tar header at offset ${String(offset)} (${why})`);
  if (!isChecksumRight(bytes)) {
    throw bad('checksum');
  }
  const number = (at: number, length: number, what: string): number => {
    const value = parseNumber(bytes.subarray(at, at + length));
    if (value === undefined) throw bad(what);
    return value;
  };
  const flag = bytes.toString('latin1', 156, 157);
  const name = joinPrefix(bytes, text(bytes, 0, 100));
  const type = TYPES[flag];
  if (type === undefined) {
    throw bad(`entry type ${JSON.stringify(flag)} is not supported`);
  }
  const sizeBytes = number(124, 12, 'size');
  if (sizeBytes < 0) {
    throw bad('size');
  }
  return {
    // Source: POSIX, a name that ends in a slash is a directory where old archives have no type; Go's archive/tar says so of any file.
    type: type === 'file' && name.endsWith('/') ? 'directory' : type,
    name,
    linkName: text(bytes, 157, 100),
    mode: number(100, 8, 'mode') & 0o7777,
    uid: number(108, 8, 'uid'),
    gid: number(116, 8, 'gid'),
    sizeBytes,
    time: { seconds: number(136, 12, 'mtime'), nanoseconds: 0 },
  };
}

/** Keys that repeat, in turns, in PAX sparse format 0.0. Source: GNU tar manual, "PAX Format, Versions 0.0 and 0.1". */
const SPARSE_PAIRS: readonly string[] = ['GNU.sparse.offset', 'GNU.sparse.numbytes'];
const SPARSE_MAP = 'GNU.sparse.map';

/** Key to value (raw bytes) of a PAX header's body; a later record of a key wins, the pairs of a sparse map are joined to one as in 0.1. @throws ClusterError FAILED_PRECONDITION */
export function parsePaxRecords(body: Uint8Array): ReadonlyMap<string, Buffer> {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const records = new Map<string, Buffer>();
  const sparse: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const digits = space < 0 ? '' : bytes.toString('latin1', at, space);
    const end = at + Number(digits);
    const equals = bytes.indexOf(0x3d, space);
    // Source: POSIX pax, "%d %s=%s\n", the length counts the whole record in decimal.
    if (!/^[1-9][0-9]{0,8}$/.test(digits) || end > bytes.length || equals < 0 || equals >= end - 1 || bytes[end - 1] !== 0x0a) {
      throw new ClusterError('FAILED_PRECONDITION', 'malformed PAX record');
    }
    const key = bytes.toString('latin1', space + 1, equals);
    const value = bytes.subarray(equals + 1, end - 1);
    if (SPARSE_PAIRS.includes(key)) {
      if (key !== SPARSE_PAIRS[sparse.length % 2]) throw new ClusterError('FAILED_PRECONDITION', 'malformed PAX record');
      sparse.push(value.toString('latin1'));
    } else {
      records.set(key, value);
    }
    at = end;
  }
  if (sparse.length > 0) records.set(SPARSE_MAP, Buffer.from(sparse.join(','), 'latin1'));
  return records;
}

/** A decimal PAX time, `1700000000.5`; before 1970 the fraction counts on from the second before. @throws ClusterError FAILED_PRECONDITION */
export function parsePaxTime(value: string): TarTime {
  const parts = /^(-?\d{1,15})(?:\.(\d*))?$/.exec(value);
  if (parts === null) {
    throw new ClusterError('FAILED_PRECONDITION', `PAX mtime ${JSON.stringify(value)} is not a time`);
  }
  const seconds = Number(parts[1]);
  const nanoseconds = Number((parts[2] ?? '').slice(0, 9).padEnd(9, '0'));
  return value.startsWith('-') && nanoseconds > 0 ? { seconds: seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds } : { seconds, nanoseconds };
}

/** A decimal PAX number. @throws ClusterError FAILED_PRECONDITION */
export function parsePaxNumber(key: string, value: string): number {
  const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(number)) {
    throw new ClusterError('FAILED_PRECONDITION', `PAX ${key} ${JSON.stringify(value)} is not a number`);
  }
  return number;
}

/** The unsigned sum of all bytes, the checksum's own eight as spaces; old tars summed signed bytes. */
function isChecksumRight(bytes: Buffer): boolean {
  const stored = parseNumber(bytes.subarray(148, 156));
  let unsigned = 8 * 0x20;
  let signed = unsigned;
  for (let at = 0; at < BLOCK_BYTES; at += 1) {
    if (at < 148 || at >= 156) {
      unsigned += bytes.readUInt8(at);
      signed += bytes.readInt8(at);
    }
  }
  return stored === unsigned || stored === signed;
}

/** Octal text, or base-256 when the first bit is set; undefined when neither or beyond 2^53. An empty field is 0. */
export function parseNumber(field: Buffer): number | undefined {
  const first = field[0] ?? 0;
  if ((first & 0x80) !== 0) {
    let value = BigInt.asIntN(7, BigInt(first & 0x7f));
    for (const byte of field.subarray(1)) value = value * 256n + BigInt(byte);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : undefined;
  }
  const digits = text(field, 0, field.length).trim();
  return digits === '' ? 0 : /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : undefined;
}

/** ustar splits long names; GNU's magic has other things in the prefix's place, star's ends with "tar" and has times in the last 24 bytes of it. */
function joinPrefix(bytes: Buffer, name: string): string {
  const isUstar = bytes.toString('latin1', 257, 263) === 'ustar\0';
  const isStar = bytes.toString('latin1', 508, 512) === 'tar\0';
  const prefix = isUstar ? text(bytes, 345, isStar ? 131 : 155) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

function text(bytes: Buffer, at: number, length: number): string {
  const end = bytes.indexOf(0, at);
  return bytes.toString('latin1', at, end < 0 || end > at + length ? at + length : end);
}
