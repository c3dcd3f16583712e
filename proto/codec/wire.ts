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

/** A closed set of words as a protobuf enum; the zero value and numbers of newer programs are refused. */
export function enumCodec<Word extends string, Wire extends number>(name: string, wireOf: Readonly<Record<Word, Wire>>): Codec<Word, Wire> {
  const wordOf = new Map(Object.entries<Wire>(wireOf).map(([word, wire]) => [wire, word as Word]));
  return {
    toWire: word => wireOf[word],
    fromWire: wire => required(wordOf.get(wire), `${name} ${String(wire)}`),
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
