/** A parsed YAML document -> a raw manifest, and the place of every path in it. */
import { isAlias, isMap, isScalar, isSeq, Scalar } from 'yaml';
import type { Alias, Document, Node, Pair, YAMLMap } from 'yaml';
import { printable, quoted } from '#model/printable.ts';
import { childPath, itemPath } from '#model/raw-value.ts';
import type { RawValue, WrittenScalar } from '#model/raw-value.ts';
import { expandVariables } from './variables.ts';
import type { Variables } from './variables.ts';
import { MAX_DEPTH } from './yaml-scan.ts';

/** `offset` counts UTF-16 units from the start of the file. */
export interface TreeProblem {
  readonly offset: number;
  readonly path: string;
  readonly message: string;
}

export interface RawTree {
  readonly raw: RawValue;
  /** Offset of every path: of the key where it has one. */
  readonly places: ReadonlyMap<string, number>;
  readonly problems: readonly TreeProblem[];
}

const MAX_NODES = 100_000;
const NOTHING: WrittenScalar = { text: '', value: null };

/**
 * The tree of one document parsed with the `failsafe` schema, scalars read by YAML 1.2's core schema here, so that numbers keep
 * their text. `lineOf` names the line of an offset, for messages.
 */
export function buildTree(document: Document, variables: Variables, lineOf: (offset: number) => number): RawTree {
  const builder = new TreeBuilder(variables, lineOf);
  const raw = document.contents === null ? NOTHING : builder.convert(document.contents, '', 0);
  return { raw, places: builder.places, problems: builder.problems };
}

/** Source: YAML 1.2.2, 10.3.2 Tag Resolution of the core schema. */
export function resolvePlainScalar(text: string): RawValue {
  if (/^(?:|~|null|Null|NULL)$/.test(text)) {
    return { text, value: null };
  }
  if (/^(?:true|True|TRUE|false|False|FALSE)$/.test(text)) {
    return { text, value: /^t/i.test(text) };
  }
  if (/^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$/.test(text)) {
    return { text, value: readInteger(text) };
  }
  if (/^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/.test(text)) {
    return { text, value: Number(text) };
  }
  if (/^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/.test(text)) {
    return { text, value: Number.NaN };
  }
  return text;
}

function readInteger(text: string): number | bigint {
  const isNegative = text.startsWith('-');
  const exact = BigInt(text.replace(/^[-+]/, ''));
  const signed = isNegative ? -exact : exact;
  return signed >= Number.MIN_SAFE_INTEGER && signed <= Number.MAX_SAFE_INTEGER ? Number(signed) : signed;
}

class TreeBuilder {
  readonly places = new Map<string, number>();
  readonly problems: TreeProblem[] = [];
  readonly #variables: Variables;
  readonly #lineOf: (offset: number) => number;
  readonly #anchors = new Map<string, Node>();
  readonly #open = new Set<Node>();
  #nodeCount = 0;
  #isBroken = false;

  constructor(variables: Variables, lineOf: (offset: number) => number) {
    this.#variables = variables;
    this.#lineOf = lineOf;
  }

  convert(node: Node | null, path: string, depth: number): RawValue {
    this.#nodeCount += 1;
    if (this.#isBroken || node === null) {
      return NOTHING;
    }
    if (this.#nodeCount > MAX_NODES) {
      return this.#break(`aliases expand to more than ${String(MAX_NODES)} nodes`);
    }
    if (depth > MAX_DEPTH) {
      return this.#break(`nesting deeper than ${String(MAX_DEPTH)}`);
    }
    this.#place(path, offsetOf(node));
    if (isAlias(node)) {
      return this.#follow(node, path, depth);
    }
    this.#remember(node, path);
    this.#open.add(node);
    const value = this.#convertContent(node, path, depth);
    this.#open.delete(node);
    return value;
  }

  #convertContent(node: Node, path: string, depth: number): RawValue {
    if (isMap<Node, Node | null>(node)) {
      return this.#convertMap(node, path, depth);
    }
    if (isSeq<Node | null>(node)) {
      return node.items.map((item, index) => this.convert(item, itemPath(path, index), depth + 1));
    }
    return isScalar(node) ? this.#convertScalar(node, path) : NOTHING;
  }

  #convertMap(node: YAMLMap<Node, Node | null>, path: string, depth: number): RawValue {
    const entries = new Map<string, RawValue>();
    const firstOffsets = new Map<string, number>();
    for (const pair of node.items) {
      const offset = offsetOf(pair.key);
      const key = this.#readKey(pair, path);
      if (key === undefined) {
        continue;
      }
      const keyPath = childPath(path, key);
      const first = firstOffsets.get(key);
      if (first !== undefined) {
        this.#complain(offset, keyPath, `duplicate key; first at line ${String(this.#lineOf(first))}`);
        continue;
      }
      firstOffsets.set(key, offset);
      this.#place(keyPath, offset);
      entries.set(key, this.convert(pair.value, keyPath, depth + 1));
    }
    return entries;
  }

  #readKey({ key }: Pair<Node, Node | null>, path: string): string | undefined {
    const offset = offsetOf(key);
    if (!isScalar(key)) {
      this.#complain(offset, path, 'a key must be text');
      return undefined;
    }
    this.#remember(key, path);
    const text = key.source ?? '';
    if (key.type === Scalar.PLAIN && text === '<<') {
      this.#complain(offset, childPath(path, text), 'merge keys (<<) are not supported; write the entries out');
      return undefined;
    }
    if (key.type === Scalar.PLAIN && typeof resolvePlainScalar(text) !== 'string') {
      this.#complain(offset, path, `the key ${quoted(text)} must be quoted: YAML does not read it as text`);
      return undefined;
    }
    return String(key.value);
  }

  #convertScalar(node: Scalar, path: string): RawValue {
    const isPlain = node.type === Scalar.PLAIN;
    const written = isPlain ? node.source ?? '' : String(node.value);
    if (!written.isWellFormed()) {
      this.#complain(offsetOf(node), path, 'an escape in it stands for half a character; write the character itself');
    }
    if (!written.includes('$')) {
      return isPlain ? resolvePlainScalar(written) : written;
    }
    const { text, problems } = expandVariables(written, this.#variables);
    for (const problem of problems) {
      this.#complain(offsetOf(node), path, problem);
    }
    return isPlain && problems.length === 0 ? resolvePlainScalar(text) : text;
  }

  #follow(alias: Alias, path: string, depth: number): RawValue {
    const target = this.#anchors.get(alias.source);
    if (target === undefined) {
      this.#complain(offsetOf(alias), path, `no anchor &${printable(alias.source)} above this alias`);
      return NOTHING;
    }
    if (this.#open.has(target)) {
      this.#complain(offsetOf(alias), path, `alias *${printable(alias.source)} stands inside what it names`);
      return NOTHING;
    }
    return this.convert(target, path, depth);
  }

  #remember(node: Node, path: string): void {
    if (node.tag !== undefined) {
      this.#complain(offsetOf(node), path, `tags are not allowed: ${quoted(node.tag)}`);
    }
    if ('anchor' in node && typeof node.anchor === 'string') {
      this.#anchors.set(node.anchor, node);
    }
  }

  #place(path: string, offset: number): void {
    if (!this.places.has(path)) {
      this.places.set(path, offset);
    }
  }

  #complain(offset: number, path: string, message: string): void {
    this.problems.push({ offset, path, message });
  }

  #break(message: string): RawValue {
    this.#isBroken = true;
    this.problems.length = 0;
    this.#complain(this.places.get('') ?? 0, '', message);
    return NOTHING;
  }
}

function offsetOf(node: Node | null): number {
  return node?.range?.[0] ?? 0;
}
