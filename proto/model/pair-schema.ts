/** Names with text values, as a mapping or as a list of `NAME=value`. */
import { isRawList } from './raw-value.ts';
import type { SchemaField } from './schema-field.ts';

export interface NamedValue {
  readonly name: string;
  readonly value: string;
}

/** Sorted by name; values are the source text of whatever stands there. */
export function readPairs(field: SchemaField): readonly NamedValue[] {
  const pairs = isRawList(field.value)
    ? field.items().flatMap(splitPair)
    : field.entries().map(([name, value]) => ({ name, value: value.source() ?? '' }));
  return pairs.toSorted((left, right) => (left.name < right.name ? -1 : 1));
}

function splitPair(item: SchemaField): readonly NamedValue[] {
  const text = item.text();
  if (text === undefined) {
    return [];
  }
  const equals = text.indexOf('=');
  if (equals < 0) {
    item.complain('has no value; write NAME=value');
    return [];
  }
  return [{ name: text.slice(0, equals), value: text.slice(equals + 1) }];
}
