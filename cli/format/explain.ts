/** A field of the manifest for people and for scripts. */
import { fieldType } from '../explain.ts';
import type { FoundField } from '../explain.ts';
import type { FieldDoc } from '../field-docs.ts';
import type { Item } from './items.ts';

/** Fields below it: one level, or all with `isRecursive`. */
export function explainItem({ path, field }: FoundField, isRecursive: boolean): Item {
  return { path, ...fieldItem(field, isRecursive ? Infinity : 1) };
}

function fieldItem(field: FieldDoc, depth: number): Item {
  const { name, about, words = null, isRequired = false, fields } = field;
  return {
    name, type: fieldType(field), values: words, default: field.default ?? null, required: isRequired, about,
    ...(fields === undefined || depth === 0 ? {} : { fields: fields.map(child => fieldItem(child, depth - 1)) }),
  };
}

export function formatExplain({ path, field }: FoundField, isRecursive: boolean): string {
  const { about, isRequired, fields } = field;
  const head = [
    `FIELD:    ${path === '' ? 'App' : path}`, `TYPE:     ${fieldType(field)}`,
    ...(field.default === undefined ? [] : [`DEFAULT:  ${field.default}`]), ...(isRequired === true ? ['REQUIRED'] : []), '', `  ${about}`,
  ];
  const children = fields === undefined ? [] : ['', 'FIELDS:', ...fields.flatMap(child => (isRecursive ? treeLines(child, '  ') : childLines(child)))];
  return [...head, ...children].map(line => `${line}\n`).join('');
}

/** `max_surge  <integer, default 1>`, then its meaning. */
function childLines(field: FieldDoc): readonly string[] {
  return [`  ${field.name}  <${headline(field)}>`, `      ${field.about}`];
}

function treeLines(field: FieldDoc, indent: string): readonly string[] {
  return [`${indent}${field.name}  <${headline(field)}>`, ...(field.fields ?? []).flatMap(child => treeLines(child, `${indent}  `))];
}

function headline(field: FieldDoc): string {
  return `${fieldType(field)}${field.isRequired === true ? ', required' : ''}${field.default === undefined ? '' : `, default ${field.default}`}`;
}
