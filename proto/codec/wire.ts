/** What every codec is made of. */

/** Two views of one message; `fromWire(toWire(m))` equals `m`. `fromWire` throws WireError or RangeError for what no model has. */
export interface Codec<Model, Wire> {
  readonly toWire: (model: Model) => Wire;
  readonly fromWire: (wire: Wire) => Model;
}

/** The bytes are protobuf, but not a message of ours: a required part is missing or a value is not one we know. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

/** @throws WireError when `value` is absent */
export function required<T>(value: T | undefined, field: string): T {
  if (value === undefined) {
    throw new WireError(`${field} is missing`);
  }
  return value;
}

const UNKNOWN_WORD = /^unknown-(\d+)$/;

/**
 * A set of words as a protobuf enum. The number of a newer program becomes the word `unknown-NUMBER`,
 * which no branch matches and which is written as the same number again; `gatherUnknown` reports it.
 */
export function enumCodec<Word extends string, Wire extends number>(name: string, wireOf: Readonly<Record<Word, Wire>>): Codec<Word, Wire> {
  const wordOf = new Map(Object.entries<Wire>(wireOf).map(([word, wire]) => [wire, word as Word]));
  return {
    toWire: word => (Object.hasOwn(wireOf, word) ? wireOf[word] : unknownNumber(name, word)) as Wire,
    fromWire: wire => wordOf.get(wire) ?? unknownWord(name, wire) as Word,
  };
}

function unknownWord(name: string, wire: number): string {
  if (wire === 0) throw new WireError(`${name} 0 is missing`);
  noteUnknown(`${name} ${String(wire)}`);
  return `unknown-${String(wire)}`;
}

function unknownNumber(name: string, word: string): number {
  const number = UNKNOWN_WORD.exec(word)?.[1];
  if (number === undefined) throw new WireError(`${name} ${JSON.stringify(word)} is not a known word`);
  return Number(number);
}

/** Bytes of fields that this program does not know, by tag; written again as they were read. */
export interface UnknownFields {
  _unknownFields?: { [tag: number]: Uint8Array[] } | undefined;
}

/** The unknown fields of `message`, for a codec that does not spread the message; most do. */
export function unknownFieldsOf(message: UnknownFields): UnknownFields {
  return message._unknownFields === undefined ? {} : { _unknownFields: message._unknownFields };
}

/**
 * Fallback for a oneof without a case that this program knows. An alternative of a newer program is
 * a field that the message around it does not know, so it is kept there.
 *
 * @throws WireError when no alternative is set at all
 */
export function unknownCase(name: string, message: UnknownFields): never {
  if (message._unknownFields === undefined) throw new WireError(`${name} is missing`);
  noteUnknown(`${name} of field ${Object.keys(message._unknownFields).map(tag => Number(tag) >>> 3).join(', ')}`);
  // No model has the kind: no branch matches it.
  return { kind: 'unknown' } as never;
}

/** The model of a oneof's alternative with the unknown fields of the message around it. */
export type Surrounded<Model> = Model & { readonly $around?: UnknownFields };

/** Keeps the unknown fields of `message` with its alternative, which may have some of its own. */
export function surrounded<Model extends object>(message: UnknownFields, alternative: Model): Model {
  return message._unknownFields === undefined ? alternative : { ...alternative, $around: unknownFieldsOf(message) };
}

let gathered: Set<string> | undefined;

function noteUnknown(what: string): void {
  gathered?.add(what);
}

/** The result of `read`, and the names of all values of newer programs that it decoded. */
export function gatherUnknown<T>(read: () => T): { readonly value: T; readonly unknown: readonly string[] } {
  const outer = gathered;
  const inner = new Set<string>();
  gathered = inner;
  try {
    return { value: read(), unknown: [...inner] };
  } finally {
    gathered = outer;
    inner.forEach(noteUnknown);
  }
}

/** The same codec, whose models name in `notUnderstood` what a newer program wrote into them. */
export function withUnderstanding<Model extends { readonly notUnderstood?: readonly string[] }, Wire>(codec: Codec<Model, Wire>): Codec<Model, Wire> {
  return {
    toWire: codec.toWire,
    fromWire: wire => {
      const { value, unknown } = gatherUnknown(() => codec.fromWire(wire));
      return unknown.length === 0 ? value : { ...value, notUnderstood: unknown };
    },
  };
}

type Present<T> =
  & { [Key in keyof T as undefined extends T[Key] ? never : Key]: T[Key] }
  & { [Key in keyof T as undefined extends T[Key] ? Key : never]?: Exclude<T[Key], undefined> };

/** The same record without its undefined fields: protobuf's absence becomes the model's. */
export function present<T extends object>(record: T): Present<T> {
  const kept: Record<string, unknown> = {};
  for (const name of Object.keys(record)) {
    const value: unknown = record[name as keyof T];
    if (value !== undefined) kept[name] = value;
  }
  return kept as Present<T>;
}

/** Applies `convert` unless the value is absent. */
export function optional<From, To>(value: From | undefined, convert: (value: From) => To): To | undefined {
  return value === undefined ? undefined : convert(value);
}

/** A plain Uint8Array of its own, whatever view the reader gave. */
export function ownBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

/** A message with one field, which must be there. */
export function field<Name extends string, Model, Wire>(name: Name, codec: Codec<Model, Wire>): Codec<Model, { readonly [Key in Name]?: Wire | undefined }> {
  return {
    toWire: model => ({ [name]: codec.toWire(model) }) as { readonly [Key in Name]: Wire },
    fromWire: (message: { readonly [Key in Name]?: Wire | undefined }) => codec.fromWire(required<Wire>(message[name], name)),
  };
}

/** A message with one repeated field. */
export function listField<Name extends string, Model, Wire>(name: Name, codec: Codec<Model, Wire>): Codec<readonly Model[], { readonly [Key in Name]: readonly Wire[] }> {
  return {
    toWire: models => listOf(name, models.map(codec.toWire)),
    fromWire: (message: { readonly [Key in Name]: readonly Wire[] }) => message[name].map(codec.fromWire),
  };
}

function listOf<Name extends string, Wire>(name: Name, list: readonly Wire[]): { readonly [Key in Name]: readonly Wire[] } {
  return Object.fromEntries([[name, list]]) as { readonly [Key in Name]: readonly Wire[] };
}
