/**
 * Sparse files of a tar: the archive holds only the parts of a file that have contents, and a map of where they go.
 *
 * Source: GNU tar manual, "Storing Sparse Files": the old format (type S) and PAX formats 0.0, 0.1 and 1.0; Go's archive/tar reads the same
 */
import { ClusterError } from '#model/errors.ts';

/** A part of the file that the archive holds. */
export interface Fragment {
  readonly offset: number;
  readonly lengthBytes: number;
}

/** What a sparse entry's headers say. */
export interface SparseHeader {
  /** Of the file with its holes. */
  readonly sizeBytes: number;
  readonly fragments: readonly Fragment[];
  /** More of the map comes as blocks before the contents: in the old format binary, in PAX 1.0 as lines. */
  readonly more: 'none' | 'blocks' | 'lines';
  /** The file's own name; the header has a made-up one in PAX formats. */
  readonly name?: string;
}

// Source: GNU tar manual, "Basic Tar Format", struct oldgnu_header and struct sparse_header.
const OLD_MAP_OFFSET = 386;
const OLD_MAP_FRAGMENTS = 4;
const OLD_IS_EXTENDED_OFFSET = 482;
const OLD_SIZE_OFFSET = 483;
const EXTENSION_FRAGMENTS = 21;
const EXTENSION_IS_EXTENDED_OFFSET = 504;
const NUMBER_BYTES = 12;

type NumberParser = (field: Buffer) => number | undefined;

/** The map in a header of type S, whose numbers `parse` reads. @throws ClusterError FAILED_PRECONDITION */
export function parseOldSparse(block: Buffer, parse: NumberParser): SparseHeader {
  const sizeBytes = parse(block.subarray(OLD_SIZE_OFFSET, OLD_SIZE_OFFSET + NUMBER_BYTES)) ?? -1;
  return {
    sizeBytes,
    fragments: binaryFragments(block.subarray(OLD_MAP_OFFSET), OLD_MAP_FRAGMENTS, parse),
    more: block[OLD_IS_EXTENDED_OFFSET] === 0 ? 'none' : 'blocks',
  };
}

/** One block that goes on with the map. @throws ClusterError FAILED_PRECONDITION */
export function parseSparseExtension(block: Buffer, parse: NumberParser): Pick<SparseHeader, 'fragments' | 'more'> {
  return { fragments: binaryFragments(block, EXTENSION_FRAGMENTS, parse), more: block[EXTENSION_IS_EXTENDED_OFFSET] === 0 ? 'none' : 'blocks' };
}

function binaryFragments(map: Buffer, count: number, parse: NumberParser): readonly Fragment[] {
  const fragments: Fragment[] = [];
  for (let index = 0; index < count; index += 1) {
    const at = index * 2 * NUMBER_BYTES;
    // An unused place begins with NUL.
    if (map[at] === 0) break;
    const offset = parse(map.subarray(at, at + NUMBER_BYTES));
    const lengthBytes = parse(map.subarray(at + NUMBER_BYTES, at + 2 * NUMBER_BYTES));
    if (offset === undefined || lengthBytes === undefined) throw refusal('a number of its map is none');
    fragments.push({ offset, lengthBytes });
  }
  return fragments;
}

/** What PAX records say of a sparse file; undefined when they say nothing. @throws ClusterError FAILED_PRECONDITION */
export function parsePaxSparse(records: ReadonlyMap<string, Buffer>): SparseHeader | undefined {
  const text = (key: string): string | undefined => records.get(`GNU.sparse.${key}`)?.toString('latin1');
  const format = `${text('major') ?? '0'}.${text('minor') ?? '0'}`;
  const name = text('name');
  const named = name === undefined ? {} : { name };
  if (format === '1.0') {
    return { sizeBytes: decimal(text('realsize')), fragments: [], more: 'lines', ...named };
  }
  const map = text('map');
  if (map === undefined && text('size') === undefined && text('major') === undefined) {
    return undefined;
  }
  if (format !== '0.0' && format !== '0.1') {
    throw refusal(`format ${format} is not known`);
  }
  const numbers = map === undefined || map === '' ? [] : map.split(',').map(decimal);
  return { sizeBytes: decimal(text('size')), fragments: pairs(numbers), more: 'none', ...named };
}

/** The map of PAX 1.0 at the beginning of `contents`: its count, then two numbers each, one a line; undefined while it goes on after them. @throws ClusterError FAILED_PRECONDITION */
export function parseSparseLines(contents: Buffer): readonly Fragment[] | undefined {
  const lines = contents.toString('latin1').split('\n');
  // The last one has no end yet.
  lines.pop();
  if (lines.length === 0) return undefined;
  const count = decimal(lines[0]);
  return lines.length < 1 + 2 * count ? undefined : pairs(lines.slice(1, 1 + 2 * count).map(decimal));
}

function pairs(numbers: readonly number[]): readonly Fragment[] {
  if (numbers.length % 2 !== 0) throw refusal('its map ends in the middle of a pair');
  return Array.from({ length: numbers.length / 2 }, (_, index) => ({ offset: numbers[2 * index] ?? 0, lengthBytes: numbers[2 * index + 1] ?? 0 }));
}

/** Checks that the parts are in order, inside of the file and together `storedBytes`. @throws ClusterError FAILED_PRECONDITION */
export function checkSparse(sizeBytes: number, fragments: readonly Fragment[], storedBytes: number): void {
  let end = 0;
  let stored = 0;
  for (const { offset, lengthBytes } of fragments) {
    if (offset < end || lengthBytes < 0 || offset + lengthBytes > sizeBytes) throw refusal('its map is out of order or past its end');
    end = offset + lengthBytes;
    stored += lengthBytes;
  }
  if (sizeBytes < 0 || !Number.isSafeInteger(sizeBytes) || stored !== storedBytes) throw refusal(`its map has ${String(stored)} bytes, the entry ${String(storedBytes)}`);
}

/** Where a sparse file's contents go. */
export interface SparseSink {
  content(piece: Uint8Array): void;
  hole(lengthBytes: number): void;
}

/** Puts the holes of a checked map between the contents as they come. */
export class SparseContents {
  readonly #fragments: readonly Fragment[];
  readonly #sizeBytes: number;
  #index = 0;
  #position = 0;

  constructor(sizeBytes: number, fragments: readonly Fragment[]) {
    this.#sizeBytes = sizeBytes;
    this.#fragments = fragments.filter(fragment => fragment.lengthBytes > 0);
  }

  content(piece: Uint8Array, sink: SparseSink): void {
    for (let at = 0; at < piece.length;) {
      const fragment = this.#fragments[this.#index];
      if (fragment === undefined) throw new RangeError('contents past the map');
      if (this.#position < fragment.offset) this.#skipTo(fragment.offset, sink);
      const end = fragment.offset + fragment.lengthBytes;
      const part = piece.subarray(at, at + end - this.#position);
      sink.content(part);
      at += part.length;
      this.#position += part.length;
      if (this.#position === end) this.#index += 1;
    }
  }

  end(sink: SparseSink): void {
    if (this.#position < this.#sizeBytes) this.#skipTo(this.#sizeBytes, sink);
  }

  #skipTo(offset: number, sink: SparseSink): void {
    sink.hole(offset - this.#position);
    this.#position = offset;
  }
}

function decimal(value: string | undefined): number {
  const number = value !== undefined && /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw refusal('a number of its map is none');
  return number;
}

function refusal(why: string): ClusterError {
  return new ClusterError('FAILED_PRECONDITION', `malformed sparse entry: ${why}`);
}
