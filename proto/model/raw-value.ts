/** A manifest before it means anything: what YAML's nodes become, with scalars kept as they were written. */

/** A plain scalar that YAML reads as something else than text; `text` is what stands in the file. */
export interface WrittenScalar {
  readonly text: string;
  readonly value: number | bigint | boolean | null;
}

/** Maps have string keys, unique, in file order. */
export type RawValue = string | WrittenScalar | readonly RawValue[] | RawMap;
export type RawMap = ReadonlyMap<string, RawValue>;

export function isRawMap(value: RawValue | undefined): value is RawMap {
  return value instanceof Map;
}

export function isRawList(value: RawValue | undefined): value is readonly RawValue[] {
  return Array.isArray(value);
}

/** Path of an entry of the mapping at `path`; the root's path is empty. */
export function childPath(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}

/** Path of an item of the list at `path`. */
export function itemPath(path: string, index: number): string {
  return `${path}[${String(index)}]`;
}

/** What a person calls the value: `a mapping`, `a list`, `text`, `a number`, `null` ... */
export function describeKind(value: RawValue): string {
  if (typeof value === 'string') {
    return 'text';
  }
  if (isRawMap(value)) {
    return 'a mapping';
  }
  if (isRawList(value)) {
    return 'a list';
  }
  return describeScalar(value.value);
}

/** The raw form of plain objects, lists and scalars, as `JSON.parse` makes them. @throws RangeError for anything else */
export function fromPlain(plain: unknown): RawValue {
  if (typeof plain === 'string') {
    return plain;
  }
  if (plain === null || typeof plain === 'boolean' || typeof plain === 'number') {
    return { text: String(plain), value: plain };
  }
  if (Array.isArray(plain)) {
    return plain.map(fromPlain);
  }
  if (typeof plain === 'object') {
    return new Map(Object.entries(plain).map(([key, value]) => [key, fromPlain(value)]));
  }
  throw new RangeError(`a manifest holds no ${typeof plain}`);
}

/** Paths of every value, in file order. */
export function* walkPaths(value: RawValue, path = ''): Generator<{ readonly path: string; readonly value: RawValue }> {
  yield { path, value };
  if (isRawMap(value)) {
    for (const [key, child] of value) {
      yield* walkPaths(child, childPath(path, key));
    }
  } else if (isRawList(value)) {
    for (const [index, child] of value.entries()) {
      yield* walkPaths(child, itemPath(path, index));
    }
  }
}

function describeScalar(value: WrittenScalar['value']): string {
  if (value === null) {
    return 'null';
  }
  return typeof value === 'boolean' ? 'true or false' : 'a number';
}
