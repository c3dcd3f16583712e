import type { ParseArgsOptionDescriptor } from 'node:util';

type Value = string | boolean | (string | boolean)[] | undefined;

/** An option of a program as node's parseArgs takes it: without `value` a switch, a list where `value` ends in `,...`. */
export function parseOption({ value, fallback }: { readonly value?: string; readonly fallback?: string }): ParseArgsOptionDescriptor {
  if (value === undefined) return { type: 'boolean' };
  if (!value.endsWith(',...')) return { type: 'string', ...(fallback === undefined ? {} : { default: fallback }) };
  return { type: 'string', multiple: true, ...(fallback === undefined ? {} : { default: [fallback] }) };
}

/** A list that is given twice is one list: its values, separated by commas. */
export function joinRepeats(values: Readonly<Record<string, Value>>): Readonly<Record<string, string | boolean | undefined>> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Array.isArray(value) ? value.join(',') : value]));
}
