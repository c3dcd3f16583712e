/** Describe a field of the manifest, as `explain` prints it. */

/** Type of a field that has no fields of its own. */
export type Leaf =
  | 'text' | 'integer' | 'number' | 'true or false' | 'duration' | 'memory' | 'cpus' | 'percent' | 'octal mode' | 'list of cpus'
  /** Whole units, or a fraction of one. */
  | 'units'
  /** Any scalar, unchanged. */
  | 'word'
  /** Text that is split as a shell does, or a list of text. */
  | 'text or list of text'
  /** A mapping of text, or a list of `NAME=value`. */
  | 'mapping or list of NAME=value'
  | 'PUBLISHED:TARGET' | 'NAME:/PATH';

export interface FieldDoc {
  readonly name: string;
  /** `one`: a single value; `list`: a list of values; `named`: a mapping from names to values. */
  readonly shape: 'one' | 'list' | 'named';
  /** Absent: the value is a mapping with `fields`. */
  readonly leaf?: Leaf;
  /** The allowed texts. */
  readonly words?: readonly string[];
  /** Absent: the value is no mapping. */
  readonly fields?: readonly FieldDoc[];
  readonly about: string;
  /** Default as YAML; absent: no default, or `about` describes it. */
  readonly default?: string;
  readonly isRequired?: true;
}

type Rest = Pick<FieldDoc, 'default' | 'isRequired'>;

export function leaf(name: string, of: Leaf, about: string, fallback?: string): FieldDoc {
  return { name, shape: 'one', leaf: of, about, ...(fallback === undefined ? {} : { default: fallback }) };
}

export function required(field: FieldDoc): FieldDoc {
  return { ...field, isRequired: true };
}

/** One of `words`. */
export function choice(name: string, words: readonly string[], about: string, fallback?: string): FieldDoc {
  return { name, shape: 'one', words, about, ...(fallback === undefined ? {} : { default: fallback }) };
}

export function mapping(name: string, about: string, fields: readonly FieldDoc[], rest: Rest & { readonly leaf?: Leaf } = {}): FieldDoc {
  return { name, shape: 'one', fields, about, ...rest };
}

/** A list of leaves, of mappings, or of both. */
export function list(name: string, of: Leaf | undefined, about: string, fields?: readonly FieldDoc[]): FieldDoc {
  return { name, shape: 'list', ...(of === undefined ? {} : { leaf: of }), about, ...(fields === undefined ? {} : { fields }) };
}

/** A mapping from names to leaves, to mappings, or to both. */
export function named(name: string, of: Leaf | undefined, about: string, fields?: readonly FieldDoc[]): FieldDoc {
  return { ...list(name, of, about, fields), shape: 'named' };
}
