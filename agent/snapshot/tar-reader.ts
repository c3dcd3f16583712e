/** A tar stream, in pieces of any length, as entries with their contents. Holds at most one block and one PAX header. */
import { ClusterError } from '#model/errors.ts';
import { quoted } from '#model/printable.ts';
import { BLOCK_BYTES, parseNumber, parsePaxNumber, parsePaxRecords, parsePaxTime, parseTarHeader } from './tar-header.ts';
import type { EntryType, MetaType, TarHeader, TarTime } from './tar-header.ts';
import { SparseContents, checkSparse, parseOldSparse, parsePaxSparse, parseSparseExtension, parseSparseLines } from './tar-sparse.ts';
import type { Fragment, SparseHeader } from './tar-sparse.ts';

/** One entry with what PAX and GNU headers before it said. Names are latin1 strings, one character a byte. */
export interface TarEntry {
  readonly type: EntryType;
  readonly name: string;
  readonly linkName: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of a file's contents with its holes; 0 for all other types. */
  readonly sizeBytes: number;
  readonly time: TarTime;
  readonly attributes: ReadonlyMap<string, Buffer>;
}

/** Gets the entries in order. `content` pieces and holes belong to the last entry, in order; a piece is only good during the call. */
export interface TarSink {
  entry(entry: TarEntry): void;
  content(piece: Uint8Array): void;
  /** Zeros that the archive does not hold. */
  hole(lengthBytes: number): void;
  endEntry(): void;
}

/** Most bytes of a PAX header, and of a GNU long name. */
export const MAX_PAX_BYTES = 1024 * 1024;
/** Most bytes of a sparse file's map in PAX 1.0, which is parsed anew at each block, and most parts in the old format. */
const MAX_SPARSE_LINES_BYTES = 128 * 1024;
const MAX_SPARSE_FRAGMENTS = 100_000;
const XATTR_PREFIX = 'SCHILY.xattr.';
const NOTHING: ReadonlyMap<string, Buffer> = new Map();

type State =
  | { readonly kind: 'header' }
  | SparseMap
  /** `left` bytes of contents or of a meta body, then `padding` bytes that mean nothing. */
  | { readonly kind: 'body'; readonly header: TarHeader; readonly name: string; left: number; padding: number; readonly meta: Buffer[] | undefined; readonly sparse: SparseContents | undefined }
  | { readonly kind: 'ended' };

/** The blocks between a sparse entry's header and its contents. */
interface SparseMap {
  readonly kind: 'map';
  readonly header: TarHeader;
  readonly entry: TarEntry;
  readonly more: SparseHeader['more'];
  /** Grows in place: copied for each block, a long map would cost its square. */
  readonly fragments: Fragment[];
  readonly lines: readonly Buffer[];
  /** What the entry's size leaves for contents. */
  readonly storedBytes: number;
}

/**
 * 1. `write` calls the sink in the stream's order. 2. After the block of zeros everything is ignored. 3. `end` throws when an entry is cut short.
 *
 * @throws ClusterError FAILED_PRECONDITION for whatever is no tar
 * Source: POSIX.1-2017 pax; links, directories and fifos have no contents whatever their size says, as in Go's archive/tar
 */
export class TarReader {
  readonly #sink: TarSink;
  #state: State = { kind: 'header' };
  #block = Buffer.alloc(BLOCK_BYTES);
  #filled = 0;
  #offset = 0;
  #pax: ReadonlyMap<string, Buffer> = NOTHING;
  #longName: string | undefined;
  #longLink: string | undefined;

  constructor(sink: TarSink) {
    this.#sink = sink;
  }

  write(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length && this.#state.kind !== 'ended';) {
      at += this.#state.kind === 'body' ? this.#takeBody(this.#state, chunk.subarray(at)) : this.#takeBlock(chunk.subarray(at));
    }
  }

  end(): void {
    if (this.#state.kind === 'body' || this.#state.kind === 'map') {
      throw refusal(`unexpected end of layer in entry ${shown(this.#state.kind === 'map' ? this.#state.entry.name : this.#state.name)}`);
    }
    if (this.#state.kind === 'header' && (this.#filled > 0 || this.#hasPending())) {
      throw refusal(`unexpected end of layer in the header at offset ${String(this.#offset)}`);
    }
  }

  #takeBlock(chunk: Uint8Array): number {
    const taken = Math.min(BLOCK_BYTES - this.#filled, chunk.length);
    this.#block.set(chunk.subarray(0, taken), this.#filled);
    this.#filled += taken;
    if (this.#filled === BLOCK_BYTES) {
      this.#filled = 0;
      this.#offset += BLOCK_BYTES;
      if (this.#state.kind === 'map') this.#takeMap(this.#state);
      else this.#takeHeader();
    }
    return taken;
  }

  #takeHeader(): void {
    const header = parseTarHeader(this.#block, this.#offset - BLOCK_BYTES);
    if (header === undefined) {
      this.#state = { kind: 'ended' };
    } else if (isMeta(header.type)) {
      if (header.sizeBytes > MAX_PAX_BYTES) {
        throw refusal(`PAX header over 1 MiB at offset ${String(this.#offset - BLOCK_BYTES)}`);
      }
      this.#enterBody({ header, name: header.name, sizeBytes: header.sizeBytes, meta: [], sparse: undefined });
    } else {
      this.#begin(header, header.type === 'old-sparse' ? 'file' : header.type);
    }
  }

  #begin(header: TarHeader, type: EntryType): void {
    const sparse = header.type === 'old-sparse' ? parseOldSparse(this.#block, parseNumber) : type === 'file' ? parsePaxSparse(this.#pax) : undefined;
    const entry = this.#complete(header, type);
    if (sparse === undefined) {
      this.#sink.entry(entry);
      this.#enterBody({ header, name: entry.name, sizeBytes: entry.sizeBytes, meta: undefined, sparse: undefined });
      return;
    }
    const whole = { ...entry, name: sparse.name ?? entry.name, sizeBytes: sparse.sizeBytes };
    this.#mapped({ kind: 'map', header, entry: whole, more: sparse.more, fragments: [...sparse.fragments], lines: [], storedBytes: entry.sizeBytes });
  }

  #takeMap(map: SparseMap): void {
    if (map.more === 'blocks') {
      const extension = parseSparseExtension(this.#block, parseNumber);
      map.fragments.push(...extension.fragments);
      this.#mapped({ ...map, more: extension.more });
      return;
    }
    const lines = [...map.lines, Buffer.from(this.#block)];
    const fragments = parseSparseLines(Buffer.concat(lines));
    this.#mapped({ ...map, lines, storedBytes: map.storedBytes - BLOCK_BYTES, ...(fragments === undefined ? {} : { fragments: [...fragments], more: 'none' }) });
  }

  /** Goes on with the map, or with the contents once it is whole. */
  #mapped(map: SparseMap): void {
    const { entry, fragments, storedBytes } = map;
    if (map.more !== 'none') {
      if (map.lines.length * BLOCK_BYTES > MAX_SPARSE_LINES_BYTES || fragments.length > MAX_SPARSE_FRAGMENTS || storedBytes < 0) {
        throw refusal(`the map of sparse entry ${shown(entry.name)} is too long`);
      }
      this.#state = map;
      return;
    }
    checkSparse(entry.sizeBytes, fragments, storedBytes);
    this.#sink.entry(entry);
    this.#enterBody({ header: map.header, name: entry.name, sizeBytes: storedBytes, meta: undefined, sparse: new SparseContents(entry.sizeBytes, fragments) });
  }

  #enterBody({ header, name, sizeBytes, meta, sparse }: Pick<State & { kind: 'body' }, 'header' | 'name' | 'meta' | 'sparse'> & { readonly sizeBytes: number }): void {
    const body = { kind: 'body' as const, header, name, left: sizeBytes, padding: (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES, meta, sparse };
    this.#state = body;
    if (sizeBytes === 0) {
      this.#finishBody(body);
      this.#state = { kind: 'header' };
    }
  }

  #takeBody(state: State & { kind: 'body' }, chunk: Uint8Array): number {
    const taken = Math.min(state.left > 0 ? state.left : state.padding, chunk.length);
    this.#offset += taken;
    if (state.left === 0) {
      state.padding -= taken;
    } else {
      state.left -= taken;
      if (state.meta !== undefined) state.meta.push(Buffer.from(chunk.subarray(0, taken)));
      else if (state.sparse === undefined) this.#sink.content(chunk.subarray(0, taken));
      else state.sparse.content(chunk.subarray(0, taken), this.#sink);
      if (state.left === 0) this.#finishBody(state);
    }
    if (state.left === 0 && state.padding === 0) {
      this.#state = { kind: 'header' };
    }
    return taken;
  }

  #finishBody({ meta, header, sparse }: Pick<State & { kind: 'body' }, 'header' | 'meta' | 'sparse'>): void {
    if (meta === undefined) {
      sparse?.end(this.#sink);
      this.#sink.endEntry();
      return;
    }
    const body = Buffer.concat(meta);
    // Global records do not count (a layer has no use for them), but must be well-formed.
    if (header.type === 'pax-global') parsePaxRecords(body);
    else if (header.type === 'pax') this.#pax = parsePaxRecords(body);
    else if (header.type === 'long-name') this.#longName = untilNul(body);
    else this.#longLink = untilNul(body);
  }

  /** The entry of `header` with the pending records, which it uses up. */
  #complete(header: TarHeader, type: EntryType): TarEntry {
    const pax = this.#pax;
    const number = (key: string, value: number): number => {
      const record = paxText(pax, key);
      return record === undefined ? value : parsePaxNumber(key, record);
    };
    const time = paxText(pax, 'mtime');
    const entry: TarEntry = {
      type,
      name: paxText(pax, 'path') ?? this.#longName ?? header.name,
      linkName: paxText(pax, 'linkpath') ?? this.#longLink ?? header.linkName,
      mode: header.mode,
      uid: number('uid', header.uid),
      gid: number('gid', header.gid),
      sizeBytes: type === 'file' ? number('size', header.sizeBytes) : 0,
      time: time === undefined ? header.time : parsePaxTime(time),
      attributes: attributesOf(pax),
    };
    this.#pax = NOTHING;
    this.#longName = undefined;
    this.#longLink = undefined;
    return entry;
  }

  #hasPending(): boolean {
    return this.#pax !== NOTHING || this.#longName !== undefined || this.#longLink !== undefined;
  }
}

function isMeta(type: TarHeader['type']): type is MetaType {
  return type === 'pax' || type === 'pax-global' || type === 'long-name' || type === 'long-link';
}

function attributesOf(pax: ReadonlyMap<string, Buffer>): ReadonlyMap<string, Buffer> {
  const attributes = new Map<string, Buffer>();
  for (const [key, value] of pax) {
    if (key.startsWith(XATTR_PREFIX)) attributes.set(key.slice(XATTR_PREFIX.length), value);
  }
  return attributes;
}

/** An empty value says that the header's own counts. Source: POSIX pax, "extended header records"; Go's archive/tar */
function paxText(pax: ReadonlyMap<string, Buffer>, key: string): string | undefined {
  const value = pax.get(key)?.toString('latin1');
  return value === '' ? undefined : value;
}

function untilNul(body: Buffer): string {
  const end = body.indexOf(0);
  return body.toString('latin1', 0, end < 0 ? body.length : end);
}

/** A raw name as people read it: UTF-8, quoted, printable, cut. */
export function shown(name: string): string {
  return quoted(Buffer.from(name, 'latin1').toString('utf8'));
}

function refusal(message: string): ClusterError {
  return new ClusterError('FAILED_PRECONDITION', message);
}
