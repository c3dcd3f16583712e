/** What `get` is asked for: `svc`, `svc NAME...`, `svc,tasks`, `svc/NAME task/NAME`, as kubectl has it. */
import { kindOf, parseTarget, parseType } from './target.ts';
import type { TargetType } from './target.ts';

export interface WantedObjects {
  readonly type: TargetType;
  /** Services of this kind alone. */
  readonly kind?: 'job' | 'cron';
  /** Empty: all. */
  readonly names: readonly string[];
}

/**
 * In the order they are named, each type once.
 *
 * A word `TYPE/NAME` names one object; a name without a type after it is of the same type. Names after types apart belong to each of them.
 * @throws ClusterError INVALID_ARGUMENT for an unknown type, with the nearest one
 */
export function parseWantedObjects(first: string, words: readonly string[]): readonly WantedObjects[] {
  if (!first.includes('/')) {
    return merged(first.split(',').map(word => {
      const [type, kind] = [parseType(word), kindOf(word)];
      return { type, names: words, ...(kind === undefined ? {} : { kind }) };
    }));
  }
  const slash = first.indexOf('/');
  let type = parseType(first.slice(0, slash));
  return merged([first, ...words].map((word, index) => {
    const target = parseTarget(word);
    type = index === 0 ? type : target.type ?? type;
    return { type, names: [index === 0 ? word.slice(slash + 1) : target.name] };
  }));
}

function merged(wanted: readonly WantedObjects[]): readonly WantedObjects[] {
  return [...Map.groupBy(wanted, ({ type, kind }) => `${type} ${kind ?? ''}`).values()].map(of => ({ ...of[0] as WantedObjects, names: [...new Set(of.flatMap(({ names }) => names))] }));
}
