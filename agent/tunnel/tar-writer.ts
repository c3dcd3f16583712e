/**
 * Writes headers of a tar stream. Source: POSIX.1-2017 pax, "ustar Interchange Format" and "pax
 * Interchange Format"; GNU tar manual, "Storing Sparse Files"
 */
import type { Fragment } from '../snapshot/tar-sparse.ts';

export interface ArchiveEntry {
  readonly type: 'file' | 'directory' | 'symlink';
  /** Relative name in latin1, one character per byte; directories without a final slash. */
  readonly name: string;
  readonly linkName: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly modifiedAtSeconds: number;
}

const BLOCK_BYTES = 512;
const TYPE_FLAGS = { file: '0', directory: '5', symlink: '2' } as const;
const MAX_NAME = 100;
/** Eleven octal digits. */
const MAX_OCTAL_SIZE = 0o77777777777;
/** Seven octal digits. */
const MAX_OCTAL_ID = 0o7777777;

/**
 * Returns the header block of `entry`, after a PAX header if a name, the size or an id does not
 * fit.
 */
export function tarHeader(entry: ArchiveEntry): Buffer {
  return headerWith(entry, []);
}

/**
 * Returns the header of a sparse file with its map in PAX 1.0. The data of `fragments` follows
 * without gaps.
 */
export function sparseHeader(entry: ArchiveEntry, fragments: readonly Fragment[]): Buffer {
  const lines = Buffer.from([fragments.length, ...fragments.flatMap(({ offset, lengthBytes }) => [offset, lengthBytes])].map(number => `${String(number)}\n`).join(''), 'latin1');
  const map = Buffer.concat([lines, tarPadding(lines.length)]);
  return Buffer.concat([
    headerWith({ ...entry, sizeBytes: map.length + storedBytes(fragments) }, [
      ['GNU.sparse.major', '1'], ['GNU.sparse.minor', '0'], ['GNU.sparse.name', entry.name], ['GNU.sparse.realsize', String(entry.sizeBytes)],
    ]),
    map,
  ]);
}

export function storedBytes(fragments: readonly Fragment[]): number {
  return fragments.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
}

function headerWith(entry: ArchiveEntry, sparse: readonly (readonly [string, string])[]): Buffer {
  const name = entry.type === 'directory' ? `${entry.name}/` : entry.name;
  const records: readonly (readonly [string, string | undefined])[] = [
    ...sparse,
    ['path', name.length > MAX_NAME ? name : undefined],
    ['linkpath', entry.linkName.length > MAX_NAME ? entry.linkName : undefined],
    ['size', entry.sizeBytes > MAX_OCTAL_SIZE ? String(entry.sizeBytes) : undefined],
    ['uid', entry.uid > MAX_OCTAL_ID ? String(entry.uid) : undefined],
    ['gid', entry.gid > MAX_OCTAL_ID ? String(entry.gid) : undefined],
  ];
  const body = Buffer.concat(records.flatMap(([key, value]) => value === undefined ? [] : [paxRecord(key, value)]));
  const pax = body.length === 0 ? [] : [
    block({ ...entry, name: 'pax', linkName: '', sizeBytes: body.length, mode: 0o600 }, 'x'), body, tarPadding(body.length),
  ];
  return Buffer.concat([...pax, block({ ...entry, name: name.slice(0, MAX_NAME) }, TYPE_FLAGS[entry.type])]);
}

/** Returns the zeros that fill the last block of the data. */
export function tarPadding(sizeBytes: number): Buffer {
  return Buffer.alloc((BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES);
}

/** End of an archive: two blocks of zeros. */
export const TAR_END: Buffer = Buffer.alloc(2 * BLOCK_BYTES);

function block(entry: ArchiveEntry, flag: string): Buffer {
  const header = Buffer.alloc(BLOCK_BYTES);
  const octal = (value: number, at: number, digits: number, max: number): void => {
    header.write(Math.min(value, max).toString(8).padStart(digits, '0'), at, 'latin1');
  };
  header.write(entry.name, 0, MAX_NAME, 'latin1');
  octal(entry.mode & 0o7777, 100, 7, MAX_OCTAL_ID);
  octal(entry.uid, 108, 7, MAX_OCTAL_ID);
  octal(entry.gid, 116, 7, MAX_OCTAL_ID);
  octal(entry.sizeBytes, 124, 11, MAX_OCTAL_SIZE);
  octal(Math.max(0, Math.floor(entry.modifiedAtSeconds)), 136, 11, MAX_OCTAL_SIZE);
  header.write('        ', 148, 'latin1');
  header.write(flag, 156, 'latin1');
  header.write(entry.linkName.slice(0, MAX_NAME), 157, 'latin1');
  header.write('ustar\0' + '00', 257, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

/** Formats `LENGTH KEY=VALUE\n`; the length includes itself. */
function paxRecord(key: string, value: string): Buffer {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) {
    length = String(length).length + rest.length;
  }
  return Buffer.from(`${String(length)}${rest}`, 'latin1');
}
