/** One object as lines. */
import { printable } from '#model/printable.ts';
import type { Item } from './items.ts';
import { unitField } from './unit-fields.ts';

/** `key: value` lines, nested mappings and lists indented; empty ones left out; amounts with their units. */
export function formatFields(item: Item, indent: string): string {
  return Object.entries(item).map(([key, value]) => formatField(key, value, indent)).join('');
}

function formatField(key: string, value: unknown, indent: string): string {
  if (isEmpty(value)) {
    return '';
  }
  if (Array.isArray(value)) {
    const items = value as readonly unknown[];
    return items.every(one => typeof one === 'string' || typeof one === 'number')
      ? `${indent}${key}: ${printable(items.join(', '))}\n`
      : `${indent}${key}:\n${items.map(one => `${indent}  - ${printable(inline(one))}\n`).join('')}`;
  }
  if (typeof value === 'object') {
    return Object.keys(value).length === 0 ? '' : `${indent}${key}:\n${formatFields(value as Item, `${indent}  `)}`;
  }
  return `${indent}${printable(leaf(key, value))}\n`;
}

/** An item of a list on one line. */
function inline(item: unknown): string {
  if (item === null || typeof item !== 'object' || Array.isArray(item)) {
    return unquoted(item);
  }
  return Object.entries(item).filter(([, value]) => !isEmpty(value)).map(([key, value]) => leaf(key, value)).join(', ');
}

function leaf(key: string, value: unknown): string {
  const { name, text } = unitField(key, value) ?? { name: key, text: unquoted(value) };
  return `${name}: ${text}`;
}

function isEmpty(value: unknown): value is null | undefined | '' | readonly [] {
  return value === null || value === undefined || value === '' || (Array.isArray(value) && value.length === 0);
}

function unquoted(value: unknown): string {
  return JSON.stringify(value).replace(/^"(.*)"$/, '$1');
}
