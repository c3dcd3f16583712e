/**
 * `--format`, as docker has it: text with `{{.Field}}`, a table of it, or JSON.
 * Source: docker/cli, cli/command/formatter/formatter.go; of Go's text/template only fields, `json`, `upper` and `lower`.
 */
import { nearestWord } from '#model/nearest-word.ts';
import { printable, quoted } from '#model/printable.ts';
import { UsageError } from '../options.ts';
import { formatTable } from './table.ts';

/** One field that a template may name. */
export interface Field<Row> {
  /** Of its column. */
  readonly heading: string;
  readonly of: (row: Row) => string;
}

export type Fields<Row> = Readonly<Record<string, Field<Row>>>;

export interface RowFormat<Row> {
  /** The fields it names one by one. */
  readonly uses: ReadonlySet<string>;
  /** All of the rows, each ending in a newline. */
  readonly write: (rows: readonly Row[]) => string;
}

type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'field'; readonly name: string; readonly apply: Apply }
  /** The whole row. */
  | { readonly kind: 'row' };

type Apply = (text: string) => string;

const FUNCTIONS: Readonly<Record<string, Apply>> = { json: text => JSON.stringify(text), upper: text => printable(text.toUpperCase()), lower: text => printable(text.toLowerCase()) };

/**
 * What `--format` asks for: a template, `table TEMPLATE`, or `json` for an object a line; undefined for the usual table.
 *
 * @throws UsageError for what is no template, or names a field that a row does not have, with those it has
 */
export function readFormat<Row>(text: string | undefined, fields: Fields<Row>): RowFormat<Row> | undefined {
  const trimmed = text?.trim();
  if (trimmed === undefined || trimmed === '' || trimmed === 'table') {
    return undefined;
  }
  const isTable = /^table\s/.test(trimmed);
  const parts: readonly Part[] = trimmed === 'json' ? [{ kind: 'row' }] : parseTemplate(isTable ? trimmed.slice('table'.length).trim() : trimmed, Object.keys(fields));
  const names = Object.keys(fields);
  const line = (row: Row): string => parts.map(part => partText(part, name => fields[name]?.of(row) ?? '', names)).join('');
  const head = parts.map(part => (part.kind === 'field' ? fields[part.name]?.heading ?? '' : part.kind === 'text' ? part.text : '')).join('');
  return {
    uses: new Set(parts.flatMap(part => (part.kind === 'field' ? [part.name] : []))),
    write: rows => (isTable
      ? formatTable({ head: head.split('\t'), rows: rows.map(row => line(row).split('\t')) })
      : rows.map(row => `${line(row)}\n`).join('')),
  };
}

function partText(part: Part, valueOf: (name: string) => string, names: readonly string[]): string {
  switch (part.kind) {
    case 'text': return part.text;
    case 'field': return part.apply(valueOf(part.name));
    case 'row': return JSON.stringify(Object.fromEntries(names.map(name => [name, valueOf(name)])));
  }
}

function parseTemplate(text: string, names: readonly string[]): readonly Part[] {
  const parts: Part[] = [];
  let rest = text;
  while (rest !== '') {
    const open = rest.indexOf('{{');
    const close = rest.indexOf('}}', open);
    if (open >= 0 && close < 0) {
      throw new UsageError(`--format: ${quoted(rest.slice(open))} has no }}`);
    }
    const before = open < 0 ? rest : rest.slice(0, open);
    parts.push(...(before === '' ? [] : [{ kind: 'text', text: before.replaceAll('\\t', '\t').replaceAll('\\n', '\n') } as const]));
    if (open < 0) {
      break;
    }
    parts.push(parseAction(rest.slice(open + 2, close).trim(), names));
    rest = rest.slice(close + 2);
  }
  return parts;
}

function parseAction(text: string, names: readonly string[]): Part {
  const [, word, name = ''] = /^(?:([a-z]+)\s+)?\.(\w*)$/.exec(text) ?? [];
  const apply = word === undefined ? printable : Object.hasOwn(FUNCTIONS, word) ? FUNCTIONS[word] : undefined;
  if (apply === undefined || !/^(?:[a-z]+\s+)?\.\w*$/.test(text) || (name === '' && word !== 'json')) {
    throw new UsageError(`--format: {{${printable(text)}}} is not understood; write {{.FIELD}}, {{json .FIELD}}, {{upper .FIELD}}, {{lower .FIELD}} or {{json .}}`);
  }
  if (name === '') {
    return { kind: 'row' };
  }
  if (!names.includes(name)) {
    const near = nearestWord(name, names);
    throw new UsageError(`--format: there is no field ${quoted(name)}${near === undefined ? '' : `; did you mean '${near}'?`}; there are ${names.join(', ')}`);
  }
  return { kind: 'field', name, apply };
}
