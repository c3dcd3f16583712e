import { parseCpu, parseMemory } from '#model/quantity.ts';

const PARSERS: ReadonlyMap<string, (text: string) => object> = new Map([['cpu', parseCpu], ['memory', parseMemory], ['disk', parseMemory]]);

/** True for what an agent takes as `--capacity`: `cpu=4,memory=7Gi`, also with `disk=100Gi`, each once. */
export function isCapacity(text: string): boolean {
  const pairs = text.split(',').map(part => [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)] as const);
  const names = new Set(pairs.map(([name]) => name));
  const isEachGood = pairs.every(([name, amount]) => 'value' in (PARSERS.get(name)?.(amount) ?? {}));
  return isEachGood && names.size === pairs.length && names.has('cpu') && names.has('memory');
}
