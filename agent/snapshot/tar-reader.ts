/** A tar stream, in pieces of any length, as entries with their contents. Holds at most one block and one PAX header. */
import { ClusterError } from '#model/errors.ts';
import { quoted } from '#model/printable.ts';
import { BLOCK_BYTES, parsePaxNumber, parsePaxRecords, parsePaxTime, parseTarHeader } from './tar-header.ts';
import type { EntryType, MetaType, TarHeader, TarTime } from './tar-header.ts';

/** One entry with what PAX and GNU headers before it said. Names are latin1 strings, one character a byte. */
export interface TarEntry {
  readonly type: EntryType;
  readonly name: string;
  readonly linkName: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of a file's contents; 0 for all other types. */
  readonly sizeBytes: number;
  readonly time: TarTime;
  readonly attributes: ReadonlyMap<string, Buffer>;
}

/** Gets the entries in order. `content` pieces belong to the last entry and are only good during the call. */
export interface TarSink {
  entry(entry: TarEntry): void;
  content(piece: Uint8Array): void;
  endEntry(): void;
}

/** Most bytes of a PAX header, and of a GNU long name. */
export const MAX_PAX_BYTES = 1024 * 1024;
const XATTR_PREFIX = 'SCHILY.xattr.';
const NOTHING: ReadonlyMap<string, Buffer> = new Map();

type State =
  | { readonly kind: 'header' }
  /** `left` bytes of contents or of a meta body, then `padding` bytes that mean nothing. */
  | { readonly kind: 'body'; readonly header: TarHeader; readonly name: string; left: number; padding: number; readonly meta: Buffer[] | undefined }
  | { readonly kind: 'ended' };

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
      at += this.#state.kind === 'header' ? this.#takeHeader(chunk.subarray(at)) : this.#takeBody(this.#state, chunk.subarray(at));
    }
  }

  end(): void {
    if (this.#state.kind === 'body') {
      throw refusal(`unexpected end of layer in entry ${shown(this.#state.name)}`);
    }
    if (this.#state.kind === 'header' && (this.#filled > 0 || this.#hasPending())) {
      throw refusal(`unexpected end of layer in the header at offset ${String(this.#offset)}`);
    }
  }

  #takeHeader(chunk: Uint8Array): number {
    const taken = Math.min(BLOCK_BYTES - this.#filled, chunk.length);
    this.#block.set(chunk.subarray(0, taken), this.#filled);
    this.#filled += taken;
    if (this.#filled === BLOCK_BYTES) {
      this.#filled = 0;
      const header = parseTarHeader(this.#block, this.#offset);
      this.#offset += BLOCK_BYTES;
      if (header === undefined) this.#state = { kind: 'ended' };
      else this.#begin(header);
    }
    return taken;
  }

  #begin(header: TarHeader): void {
    if (isMeta(header.type)) {
      if (header.sizeBytes > MAX_PAX_BYTES) {
        throw refusal(`PAX header over 1 MiB at offset ${String(this.#offset - BLOCK_BYTES)}`);
      }
      this.#enterBody(header, header.name, header.sizeBytes, []);
      return;
    }
    const entry = this.#complete(header, header.type);
    this.#sink.entry(entry);
    this.#enterBody(header, entry.name, entry.sizeBytes, undefined);
  }

  #enterBody(header: TarHeader, name: string, sizeBytes: number, meta: Buffer[] | undefined): void {
    const body = { kind: 'body' as const, header, name, left: sizeBytes, padding: (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES, meta };
    this.#state = body;
    if (sizeBytes === 0) {
      this.#finishBody(body.meta, header);
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
      if (state.meta === undefined) this.#sink.content(chunk.subarray(0, taken));
      else state.meta.push(Buffer.from(chunk.subarray(0, taken)));
      if (state.left === 0) this.#finishBody(state.meta, state.header);
    }
    if (state.left === 0 && state.padding === 0) {
      this.#state = { kind: 'header' };
    }
    return taken;
  }

  #finishBody(meta: Buffer[] | undefined, header: TarHeader): void {
    if (meta === undefined) {
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
    if ([...pax.keys()].some(key => key.startsWith('GNU.sparse.'))) {
      throw refusal(`sparse entry ${shown(header.name)} is not supported`);
    }
    const number = (key: string, value: number): number => {
      const record = pax.get(key)?.toString('latin1');
      return record === undefined ? value : parsePaxNumber(key, record);
    };
    const time = pax.get('mtime')?.toString('latin1');
    const entry: TarEntry = {
      type,
      name: pax.get('path')?.toString('latin1') ?? this.#longName ?? header.name,
      linkName: pax.get('linkpath')?.toString('latin1') ?? this.#longLink ?? header.linkName,
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
