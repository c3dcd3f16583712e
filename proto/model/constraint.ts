/** Placement rules: `label op value`, as text and as a test of a node's labels. */
import type { PlacementRule } from './service.ts';

export type ParsedRule =
  | { readonly kind: 'rule'; readonly rule: PlacementRule }
  /** `offset` counts characters from the start of the text. */
  | { readonly kind: 'error'; readonly offset: number; readonly message: string };

const OPERATORS = '==, !=, in, not-in, exists, not-exists, >, <';
const LABEL = /\s*([A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?)/y;
/** Words end at a space, a bracket or the text's end, so that `inside` is no `in`. */
const OPERATOR = /\s*(==|!=|>|<|(?:not-in|in)(?=[\s(]|$)|(?:not-exists|exists)(?=\s|$))/y;
const VALUE = /\s*([A-Za-z0-9._/:-]+)/y;
const OPEN = /\s*\(/y;
const COMMA = /\s*,/y;
const CLOSE = /\s*\)/y;

/** The rule that `text` says, or where and why it says none. */
export function parsePlacementRule(text: string): ParsedRule {
  const cursor = new Cursor(text);
  const label = cursor.take(LABEL);
  if (label === undefined) {
    return cursor.error('expected a label, as in "zone == a"');
  }
  const operator = cursor.take(OPERATOR) as PlacementRule['operator'] | undefined;
  if (operator === undefined) {
    return cursor.error(`use ${OPERATORS}`);
  }
  const values = parseValues(cursor, operator);
  if (typeof values === 'string') {
    return cursor.error(values);
  }
  return cursor.isAtEnd() ? { kind: 'rule', rule: { label, operator, values } } : cursor.error('expected the end of the rule');
}

/** The values, or what was expected instead of them at the cursor. */
function parseValues(cursor: Cursor, operator: PlacementRule['operator']): readonly string[] | string {
  switch (operator) {
    case 'exists':
    case 'not-exists':
      return [];
    case 'in':
    case 'not-in':
      return parseList(cursor);
    case '==':
    case '!=':
      return optional(cursor.take(VALUE)) ?? 'expected a value';
    case '>':
    case '<':
      return optional(cursor.take(VALUE, isNumber)) ?? 'expected a number';
  }
}

function parseList(cursor: Cursor): readonly string[] | string {
  if (cursor.take(OPEN) === undefined) {
    return 'expected a list, as in "(a, b)"';
  }
  const values: string[] = [];
  do {
    const value = cursor.take(VALUE);
    if (value === undefined) {
      return 'expected a value';
    }
    values.push(value);
  } while (cursor.take(COMMA) !== undefined);
  return cursor.take(CLOSE) === undefined ? 'expected , or )' : values;
}

function optional(value: string | undefined): readonly string[] | undefined {
  return value === undefined ? undefined : [value];
}

/**
 * True when `labels` satisfy the rule. A missing label satisfies `!=`, `not-in` and `not-exists` only;
 * `>` and `<` compare numbers, and a label that is none satisfies neither.
 */
export function matches(rule: PlacementRule, labels: ReadonlyMap<string, string>): boolean {
  const have = labels.get(rule.label);
  switch (rule.operator) {
    case 'exists':
      return have !== undefined;
    case 'not-exists':
      return have === undefined;
    case '==':
    case 'in':
      return have !== undefined && rule.values.includes(have);
    case '!=':
    case 'not-in':
      return have === undefined || !rule.values.includes(have);
    case '>':
    case '<':
      return compareNumbers(rule, have);
  }
}

function compareNumbers(rule: PlacementRule, have: string | undefined): boolean {
  const [want = ''] = rule.values;
  if (have === undefined || !isNumber(have) || !isNumber(want)) {
    return false;
  }
  return rule.operator === '>' ? Number(have) > Number(want) : Number(have) < Number(want);
}

/** The rule as a person writes it; `parsePlacementRule` reads it back. */
export function formatPlacementRule(rule: PlacementRule): string {
  switch (rule.operator) {
    case 'exists':
    case 'not-exists':
      return `${rule.label} ${rule.operator}`;
    case 'in':
    case 'not-in':
      return `${rule.label} ${rule.operator} (${rule.values.join(', ')})`;
    default:
      return `${rule.label} ${rule.operator} ${rule.values.join(' ')}`;
  }
}

function isNumber(text: string): boolean {
  return /^-?\d+(?:\.\d+)?$/.test(text);
}

class Cursor {
  readonly #text: string;
  #offset = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** What `pattern` (sticky) matches at the cursor, its first group where it has one; the cursor stays where it does not. */
  take(pattern: RegExp, accept: (token: string) => boolean = () => true): string | undefined {
    pattern.lastIndex = this.#offset;
    const match = pattern.exec(this.#text);
    if (match === null) {
      return undefined;
    }
    const token = match[1] ?? match[0];
    if (!accept(token)) {
      return undefined;
    }
    this.#offset = pattern.lastIndex;
    return token;
  }

  isAtEnd(): boolean {
    return this.#text.slice(this.#offset).trim() === '';
  }

  error(expected: string): ParsedRule {
    const rest = this.#text.slice(this.#offset);
    const offset = this.#offset + rest.length - rest.trimStart().length;
    const word = /^\s*(\S+)/.exec(rest)?.[1];
    const where = word === undefined ? 'at the end' : `at '${word}'`;
    return { kind: 'error', offset, message: `cannot parse ${where}; ${expected}` };
  }
}
