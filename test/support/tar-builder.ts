/** Tars for tests, also such as no tool would write. Keys as in fixtures/badinputs/README.md. */
export interface TarSpec {
  /** f file, d directory, l symlink, h hardlink, c/b device, p fifo, s socket, g PAX global header, L GNU long name. */
  readonly t: string;
  readonly n: string;
  readonly nHex?: string;
  readonly ln?: string;
  readonly data?: string | Uint8Array;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly major?: number;
  readonly minor?: number;
  /** Header size when it lies. */
  readonly size?: number;
  readonly pax?: Readonly<Record<string, string | Uint8Array | { readonly repeat: string; readonly times: number; readonly tail?: string }>>;
}

const FLAGS: Readonly<Record<string, string>> = { f: '0', h: '1', l: '2', c: '3', b: '4', d: '5', p: '6', s: 's', g: 'g', L: 'L' };

export function buildTar(entries: readonly TarSpec[], options: { readonly isTruncated?: boolean } = {}): Buffer {
  const parts = entries.flatMap(entry => [...paxParts(entry), ...entryParts(entry, options.isTruncated ?? false)]);
  return Buffer.concat(options.isTruncated === true ? parts : [...parts, Buffer.alloc(1024)]);
}

/** One 512-byte header; `fields` may break any of it. */
export function tarHeader(fields: {
  readonly name: Buffer; readonly flag: string; readonly size: number; readonly linkName?: string; readonly mode?: number;
  readonly uid?: number; readonly gid?: number; readonly mtime?: number; readonly major?: number; readonly minor?: number; readonly checksum?: string;
}): Buffer {
  const block = Buffer.alloc(512);
  fields.name.copy(block, 0, 0, 100);
  const octal = (value: number, at: number, length: number): void => { block.write(value.toString(8).padStart(length - 1, '0'), at, 'latin1'); };
  octal(fields.mode ?? 0o644, 100, 8);
  octal(fields.uid ?? 0, 108, 8);
  octal(fields.gid ?? 0, 116, 8);
  octal(fields.size, 124, 12);
  octal(fields.mtime ?? 1_700_000_000, 136, 12);
  block.write('        ', 148, 'latin1');
  block.write(fields.flag, 156, 'latin1');
  block.write(fields.linkName ?? '', 157, 100, 'utf8');
  block.write('ustar\u000000', 257, 'latin1');
  octal(fields.major ?? 0, 329, 8);
  octal(fields.minor ?? 0, 337, 8);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(fields.checksum ?? `${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** A file's header with the bytes `hex` at `at`, and a checksum that is right. */
export function patchedHeader(fields: { readonly name: string; readonly size: number }, at: number, hex: string): Buffer {
  const block = tarHeader({ name: Buffer.from(fields.name), flag: '0', size: fields.size });
  Buffer.from(hex, 'hex').copy(block, at);
  block.write('        ', 148, 'latin1');
  block.write(`${block.reduce((total, byte) => total + byte, 0).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** `LENGTH KEY=VALUE\n`, where LENGTH counts itself. */
export function paxRecord(key: string, value: Uint8Array): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function paxParts(entry: TarSpec): Buffer[] {
  if (entry.pax === undefined || entry.t === 'g') return [];
  const body = Buffer.concat(Object.entries(entry.pax).map(([key, value]) => paxRecord(key, paxValue(value))));
  return [tarHeader({ name: Buffer.from('pax'), flag: 'x', size: body.length }), padded(body)];
}

function paxValue(value: NonNullable<TarSpec['pax']>[string]): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value !== 'string') return Buffer.from(value.repeat.repeat(value.times) + (value.tail ?? ''));
  return value.startsWith('base64:') ? Buffer.from(value.slice(7), 'base64') : Buffer.from(value.replaceAll('\\u0000', '\0'));
}

function entryParts(entry: TarSpec, isTruncated: boolean): Buffer[] {
  const flag = FLAGS[entry.t];
  if (flag === undefined) throw new Error(`unknown entry type ${entry.t}`);
  const data = entry.t === 'g'
    ? Buffer.concat(Object.entries(entry.pax ?? {}).map(([key, value]) => paxRecord(key, paxValue(value))))
    : Buffer.from(entry.data ?? '');
  const name = entry.nHex === undefined ? Buffer.from(entry.n) : Buffer.from(entry.nHex, 'hex');
  const header = tarHeader({ mode: entry.t === 'd' ? 0o755 : 0o644, ...entry, name, flag, size: entry.size ?? data.length, linkName: entry.ln ?? '' });
  return [header, isTruncated ? data : padded(data)];
}

function padded(data: Buffer): Buffer {
  return Buffer.concat([data, Buffer.alloc((512 - (data.length % 512)) % 512)]);
}
