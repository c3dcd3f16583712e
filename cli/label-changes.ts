/** `KEY=VALUE` sets a label, `KEY-` removes it. */
import { UsageError } from './options.ts';

export interface LabelChanges {
  readonly set: ReadonlyMap<string, string>;
  readonly remove: readonly string[];
}

/** @throws UsageError for a word that is no change, or a key that is both set and removed */
export function parseLabelChanges(words: readonly string[]): LabelChanges {
  const set = new Map<string, string>();
  const remove: string[] = [];
  for (const word of words) {
    const equals = word.indexOf('=');
    if (equals > 0) {
      set.set(word.slice(0, equals), word.slice(equals + 1));
    } else if (isRemoval(word)) {
      remove.push(word.slice(0, -1));
    } else {
      throw new UsageError(`${word}: write KEY=VALUE to set, KEY- to remove`);
    }
  }
  const both = remove.find(key => set.has(key));
  if (both !== undefined) {
    throw new UsageError(`label ${both} cannot be both set and removed`);
  }
  return { set, remove };
}

/** What `label` is given: objects as `node/n1` or `node n1 n2`, then changes. @throws UsageError when one of both is missing */
export function splitLabelWords(words: readonly string[]): { readonly names: readonly string[]; readonly changes: readonly string[] } {
  const [first = '', ...rest] = words;
  const all = first.includes('/') || words.length === 0 ? words : rest.map(word => (isChange(word) ? word : `${first}/${word}`));
  const firstChange = all.findIndex(isChange);
  const names = firstChange < 0 ? all : all.slice(0, firstChange);
  const changes = firstChange < 0 ? [] : all.slice(firstChange);
  if (names.length === 0 || changes.length === 0) {
    throw new UsageError('name nodes and what to change: clusterctl label node/n1 disk=ssd zone-');
  }
  return { names, changes };
}

function isChange(word: string): boolean {
  return word.indexOf('=') > 0 || isRemoval(word);
}

function isRemoval(word: string): boolean {
  return word.endsWith('-') && word.length > 1;
}
