/** Templates of `-o jsonpath=`: text, `{.items[*].name}`, `{range .items[*]}...{end}` and `{"\n"}`, a subset of kubectl's. */
import { quoted } from '#model/printable.ts';

/** Prints a document. */
export type JsonPathTemplate = (document: unknown) => string;

type Literal = string | number | boolean;

type Step =
  | { readonly kind: 'field' | 'deep'; readonly name: string }
  | { readonly kind: 'all' }
  | { readonly kind: 'slice'; readonly from: number; readonly to: number | undefined; readonly isOne: boolean }
  | { readonly kind: 'filter'; readonly path: readonly Step[]; readonly operator?: string; readonly literal?: Literal };

interface Path {
  readonly isFromRoot: boolean;
  readonly steps: readonly Step[];
}

type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'path'; readonly path: Path }
  | { readonly kind: 'range'; readonly path: Path; readonly parts: Part[] };

export type ParsedTemplate = { readonly value: JsonPathTemplate } | { readonly problem: string };

const EXAMPLE = "'{.items[*].name}'";
/** A piece: `{"text"}`, `{expression}`, or text outside of braces. */
const PIECE = /\{(?<literal>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\}|\{(?<expression>(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^{}"'])*)\}|(?<text>[^{}]+)|(?<bad>[{}])/gy;

export function parseJsonPath(template: string): ParsedTemplate {
  const root: Part[] = [];
  const open: Part[][] = [root];
  let count = 0;
  for (const { groups = {} } of template.matchAll(PIECE)) {
    const problem = addPiece(open, groups);
    if (problem !== undefined) {
      return { problem };
    }
    count += groups['text'] === undefined ? 1 : 0;
  }
  if (count === 0) {
    return { problem: `${quoted(template)} has no expression; write one in braces, such as ${EXAMPLE}` };
  }
  return open.length > 1 ? { problem: '{range} has no {end}' } : { value: document => render(root, { document, current: document }) };
}

/** What is wrong with the piece; undefined when it was added. */
function addPiece(open: Part[][], { text, literal, expression, bad }: Readonly<Record<string, string | undefined>>): string | undefined {
  if (bad !== undefined) {
    return `a brace '${bad}' stands alone; an expression looks like ${EXAMPLE}`;
  }
  if (text !== undefined || literal !== undefined) {
    open.at(-1)?.push({ kind: 'text', text: text ?? unescaped(literal ?? '') });
    return undefined;
  }
  return addExpression(open, expression ?? '');
}

function addExpression(open: Part[][], expression: string): string | undefined {
  const [, range, rest = ''] = /^\s*(range\s)?(.*?)\s*$/s.exec(expression) ?? [];
  if (rest === 'end' && range === undefined) {
    open.pop();
    return open.length === 0 ? '{end} has no {range}' : undefined;
  }
  const path = parsePath(rest);
  if (path === undefined) {
    return `cannot read {${expression}}; an expression looks like ${EXAMPLE} or '{.items[?(@.state=="ready")].name}'`;
  }
  const body: Part[] = [];
  open.at(-1)?.push(range === undefined ? { kind: 'path', path } : { kind: 'range', path, parts: body });
  open.push(...(range === undefined ? [] : [body]));
  return undefined;
}

const LITERAL = String.raw`"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|-?\d+(?:\.\d+)?|true|false`;
const STEP = new RegExp([
  String.raw`(?<deep>\.\.)(?<deepName>[\w-]+)`, String.raw`(?<all>\.\*|\[\*\])`, String.raw`\.(?<name>(?:[\w/-]|\\.)+)`,
  String.raw`\[(?<key>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\]`, String.raw`\[(?<index>-?\d+)\]`, String.raw`\[(?<from>-?\d*):(?<to>-?\d*)\]`,
  String.raw`\[\?\(\s*@(?<filter>[^=!<>()]*?)\s*(?:(?<operator>==|!=|<=|>=|<|>)\s*(?<literal>${LITERAL})\s*)?\)\]`,
].join('|'), 'gy');

/** Undefined for what is no path. */
function parsePath(text: string): Path | undefined {
  const isFromRoot = text.startsWith('$');
  const isMarked = isFromRoot || text.startsWith('@');
  const steps = parseSteps(isMarked ? text.slice(1) : text);
  return text === '' || steps === undefined ? undefined : { isFromRoot, steps };
}

function parseSteps(text: string): readonly Step[] | undefined {
  if (text === '.' || text === '') {
    return [];
  }
  const matches = [...text.matchAll(STEP)];
  const steps = matches.map(({ groups = {} }) => stepOf(groups));
  const isWhole = matches.reduce((length, [match]) => length + match.length, 0) === text.length;
  return isWhole && steps.every(step => step !== undefined) ? steps : undefined;
}

type Groups = Readonly<Record<string, string | undefined>>;

function stepOf(groups: Groups): Step | undefined {
  const { deepName, all, name, key } = groups;
  if (deepName !== undefined) {
    return { kind: 'deep', name: deepName };
  }
  if (all !== undefined) {
    return { kind: 'all' };
  }
  if (name !== undefined) {
    return { kind: 'field', name: name.replace(/\\(.)/g, '$1') };
  }
  return key === undefined ? sliceOf(groups) ?? filterOf(groups) : { kind: 'field', name: unescaped(key) };
}

function sliceOf({ index, from, to }: Groups): Step | undefined {
  if (index !== undefined) {
    return { kind: 'slice', from: Number(index), to: undefined, isOne: true };
  }
  return from === undefined ? undefined : { kind: 'slice', from: Number(from), to: to === '' ? undefined : Number(to), isOne: false };
}

function filterOf({ filter = '', operator, literal = '' }: Groups): Step | undefined {
  const path = parseSteps(filter);
  return path === undefined ? undefined : { kind: 'filter', path, ...(operator === undefined ? {} : { operator, literal: literalOf(literal) }) };
}

function literalOf(text: string): Literal {
  return /^["']/.test(text) ? unescaped(text) : text === 'true' || text === 'false' ? text === 'true' : Number(text);
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };

function unescaped(text: string): string {
  return text.slice(1, -1).replace(/\\(.)/gs, (_, one: string) => ESCAPES[one] ?? one);
}

interface Scope {
  readonly document: unknown;
  /** What a path without `$` begins at. */
  readonly current: unknown;
}

function render(parts: readonly Part[], scope: Scope): string {
  return parts.map(part => {
    switch (part.kind) {
      case 'text': return part.text;
      case 'path': return select(part.path, scope).map(shown).join(' ');
      case 'range': return select(part.path, scope).map(current => render(part.parts, { ...scope, current })).join('');
    }
  }).join('');
}

function select({ isFromRoot, steps }: Path, { document, current }: Scope): readonly unknown[] {
  return follow([isFromRoot ? document : current], steps);
}

function follow(values: readonly unknown[], steps: readonly Step[]): readonly unknown[] {
  return steps.reduce<readonly unknown[]>((found, step) => found.flatMap(value => taken(value, step)), values);
}

function taken(value: unknown, step: Step): readonly unknown[] {
  switch (step.kind) {
    case 'field': return isObject(value) && Object.hasOwn(value, step.name) ? [value[step.name]] : [];
    case 'all': return childrenOf(value);
    case 'deep': return [...taken(value, { kind: 'field', name: step.name }), ...childrenOf(value).flatMap(child => taken(child, step))];
    case 'slice': return !Array.isArray(value) ? [] : step.isOne ? value.slice(step.from).slice(0, 1) : value.slice(step.from, step.to);
    case 'filter': return childrenOf(value).filter(child => follow([child], step.path).some(one => holds(one, step)));
  }
}

function holds(value: unknown, { operator, literal }: Extract<Step, { readonly kind: 'filter' }>): boolean {
  if (operator === undefined || literal === undefined) {
    return value !== null && value !== undefined;
  }
  if (operator === '==' || operator === '!=') {
    return (value === literal) === (operator === '==');
  }
  return isOrdered(value, operator, literal);
}

/** Numbers by size, texts by their characters; values of other types, or of two types, are in no order. */
function isOrdered(value: unknown, operator: string, literal: Literal): boolean {
  const isComparable = typeof value === typeof literal && (typeof value === 'number' || typeof value === 'string');
  if (!isComparable) {
    return false;
  }
  const isBeyond = operator.startsWith('<') ? value < literal : value > literal;
  return isBeyond || (value === literal && operator.endsWith('='));
}

function childrenOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : isObject(value) ? Object.values(value) : [];
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Texts as they are, nothing for null, objects as JSON. */
function shown(value: unknown): string {
  return typeof value === 'string' ? value : value === null || value === undefined ? '' : JSON.stringify(value);
}
