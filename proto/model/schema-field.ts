/** One place of a raw manifest, read with its path; what is wrong there goes to a shared list, and reading goes on. */
import type { Violation } from './errors.ts';
import { nearestWord } from './nearest-word.ts';
import { printable, quoted } from './printable.ts';
import type { Parsed } from './quantity.ts';
import { childPath, describeKind, isRawList, isRawMap, itemPath } from './raw-value.ts';
import type { RawMap, RawValue, WrittenScalar } from './raw-value.ts';

/** Keys of a mapping: those this version reads, and those it knows but cannot do. */
export interface KeyTable {
  readonly known: readonly string[];
  readonly later?: readonly string[];
  /** A mapping as it may be written. */
  readonly example?: string;
}

/** Words of a choice, likewise. */
export interface Choice<Word extends string> {
  readonly words: readonly Word[];
  readonly later?: readonly string[];
}

const NO_ENTRIES: RawMap = new Map();

/** 1. Reading never throws: what cannot be read is complained about and the fallback is the answer. 2. An absent field is no complaint. */
export class SchemaField {
  readonly path: string;
  readonly value: RawValue | undefined;
  readonly #violations: Violation[];
  #isOrphan = false;

  constructor(value: RawValue | undefined, violations: Violation[], path = '') {
    this.value = value;
    this.path = path;
    this.#violations = violations;
  }

  get isPresent(): boolean {
    return this.value !== undefined;
  }

  complain(message: string, key?: string): void {
    this.#violations.push({ path: this.path, message, ...(key === undefined ? {} : { key }) });
  }

  /** The entry `key`; absent where this is no mapping. */
  at(key: string): SchemaField {
    const child = isRawMap(this.value) ? this.value.get(key) : undefined;
    const field = new SchemaField(child, this.#violations, childPath(this.path, key));
    field.#isOrphan = this.#isOrphan || (this.value !== undefined && !isRawMap(this.value));
    return field;
  }

  /** Complains when this is absent, unless what should hold it is no mapping, which is complained about already. */
  require(): void {
    if (this.value === undefined && !this.#isOrphan) {
      this.complain('required');
    }
  }

  /** Complains unless this is absent or a mapping of `keys`; `x-` keys are free. */
  checkKeys(keys: KeyTable): void {
    for (const [key, field] of this.entries(keys.example)) {
      if (keys.known.includes(key) || key.startsWith('x-')) {
        continue;
      }
      if (keys.later?.includes(key) === true) {
        field.complain(`'${key}' is not available in this version`);
        continue;
      }
      const near = nearestWord(key, [...keys.known, ...(keys.later ?? [])]);
      field.complain(near === undefined ? `unknown key; known here: ${keys.known.join(', ')}` : `unknown key; did you mean '${near}'?`);
    }
  }

  /** Entries of a mapping, in file order. `example`: a mapping as it may be written, told where something else stands. */
  entries(example?: string): readonly (readonly [string, SchemaField])[] {
    const map = this.#mapping(example);
    return [...map.keys()].map(key => [key, this.at(key)]);
  }

  items(): readonly SchemaField[] {
    if (this.value === undefined) {
      return [];
    }
    if (!isRawList(this.value)) {
      this.complain(`must be a list, got ${this.#shown()}`);
      return [];
    }
    return this.value.map((item, index) => new SchemaField(item, this.#violations, itemPath(this.path, index)));
  }

  /** Text; a number or a word that YAML reads otherwise must be quoted. */
  text(): string | undefined {
    if (this.value === undefined || typeof this.value === 'string') {
      return this.value;
    }
    const written = this.#written();
    this.complain(written === undefined || written.value === null
      ? `must be text, got ${this.#shown()}`
      : `must be text, got ${this.#shown()}; quote it: "${printable(written.text)}"`);
    return undefined;
  }

  requiredText(): string {
    this.require();
    return this.text() ?? '';
  }

  /** Text of any scalar as it stands in the file: environment and label values, modes, amounts. */
  source(): string | undefined {
    if (this.value === undefined || typeof this.value === 'string') {
      return this.value;
    }
    const written = this.#written();
    if (written === undefined || written.value === null) {
      this.complain(written === undefined ? `must be text, got ${this.#shown()}` : 'has no value; write "" for empty text');
      return undefined;
    }
    return written.text;
  }

  integer(fallback: number): number {
    if (this.value === undefined) {
      return fallback;
    }
    const written = this.#written();
    if (written === undefined || (typeof written.value !== 'number' && typeof written.value !== 'bigint')) {
      this.complain(`must be a whole number, got ${this.#shown()}`);
      return fallback;
    }
    const value = Number(written.value);
    if (!Number.isInteger(value)) {
      this.complain(`must be a whole number, got ${printable(written.text)}`);
      return fallback;
    }
    if (!Number.isSafeInteger(value)) {
      this.complain(`${printable(written.text)} is too large`);
      return fallback;
    }
    return value;
  }

  /** A number that may have a fraction. */
  number(fallback: number): number {
    if (this.value === undefined) {
      return fallback;
    }
    const written = this.#written();
    if (written === undefined || (typeof written.value !== 'number' && typeof written.value !== 'bigint')) {
      this.complain(`must be a number, got ${this.#shown()}`);
      return fallback;
    }
    return Number(written.value);
  }

  boolean(fallback: boolean): boolean {
    if (this.value === undefined) {
      return fallback;
    }
    const written = this.#written();
    if (typeof written?.value !== 'boolean') {
      this.complain(`must be true or false, got ${this.#shown()}`);
      return fallback;
    }
    return written.value;
  }

  /** What `parse` makes of the source text. */
  parsed<T>(parse: (text: string) => Parsed<T>): T | undefined {
    const text = this.source();
    if (text === undefined) {
      return undefined;
    }
    const parsed = parse(text);
    if ('problem' in parsed) {
      this.complain(parsed.problem);
      return undefined;
    }
    return parsed.value;
  }

  choice<Word extends string>(choice: Choice<Word>, fallback: Word): Word {
    const text = this.text();
    if (text === undefined) {
      return fallback;
    }
    const word = choice.words.find(one => one === text);
    if (word === undefined) {
      this.complain(choice.later?.includes(text) === true
        ? `'${text}' is not available in this version; use ${choice.words.join(' or ')}`
        : choice.words.length === 1 ? `must be ${choice.words.join('')}, got ${quoted(text)}` : `${quoted(text)} is none of ${choice.words.join(', ')}`);
    }
    return word ?? fallback;
  }

  /** Texts of a list. */
  texts(): readonly string[] {
    return this.items().map(item => item.text() ?? '');
  }

  #mapping(example?: string): RawMap {
    if (this.value === undefined) {
      return NO_ENTRIES;
    }
    if (!isRawMap(this.value)) {
      this.complain(`must be a mapping, got ${this.#shown()}${example === undefined ? '' : `; write ${example}`}`);
      return NO_ENTRIES;
    }
    return this.value;
  }

  #written(): WrittenScalar | undefined {
    const isScalar = typeof this.value === 'object' && !isRawMap(this.value) && !isRawList(this.value);
    return isScalar ? this.value : undefined;
  }

  #shown(): string {
    if (this.value === undefined) {
      return 'nothing';
    }
    return typeof this.value === 'string' ? quoted(this.value) : this.#written()?.text ?? describeKind(this.value);
  }
}
