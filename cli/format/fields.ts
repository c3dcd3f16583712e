/** One object as lines. */
import { printable } from '#model/printable.ts';
import type { Item } from './items.ts';

/** `key: value` lines, nested mappings and lists indented; empty ones left out. */
export function formatFields(item: Item, indent: string): string {
  return Object.entries(item).map(([key, value]) => formatField(key, value, indent)).join('');
}

function formatField(key: string, value: unknown, indent: string): string {
  if (value === null || value === undefined || value === '' || (Array.isArray(value) && value.length === 0)) {
    return '';
  }
  if (Array.isArray(value)) {
    const items = value as readonly unknown[];
    return items.every(one => typeof one === 'string' || typeof one === 'number')
      ? `${indent}${key}: ${printable(items.join(', '))}\n`
      : `${indent}${key}:\n${items.map(one => `${indent}  - ${printable(JSON.stringify(one))}\n`).join('')}`;
  }
  if (typeof value === 'object') {
    return Object.keys(value).length === 0 ? '' : `${indent}${key}:\n${formatFields(value as Item, `${indent}  `)}`;
  }
  return `${indent}${key}: ${printable(JSON.stringify(value).replace(/^"(.*)"$/, '$1'))}\n`;
}
