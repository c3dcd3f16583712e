/** Fields that carry their unit in their name (`memoryBytes`, `milliCpu`, `delayMs`), as people write them. */
import { formatCpu, formatDuration, formatMemory } from '#model/quantity.ts';

interface Unit {
  readonly pattern: RegExp;
  readonly format: (amount: number) => string;
}

/** A moment (`createdAtMs`) is no amount. */
const UNITS: readonly Unit[] = [
  { pattern: /Bytes$/, format: formatMemory },
  { pattern: /(?<!At)Ms$/, format: formatDuration },
];
const CPU = 'milliCpu';

/** `{ name: 'memory', text: '32Mi' }` of `memoryBytes`, `cpus` of `milliCpu`; undefined where the field has no unit or is no number. */
export function unitField(name: string, value: unknown): { readonly name: string; readonly text: string } | undefined {
  const text = unitText(name, value);
  return text === undefined ? undefined : { name: unitName(name), text };
}

function unitName(name: string): string {
  return name === CPU ? 'cpus' : UNITS.reduce((text, { pattern }) => text.replace(pattern, ''), name);
}

function unitText(name: string, value: unknown): string | undefined {
  if (typeof value !== 'number') {
    return undefined;
  }
  return name === CPU ? formatCpu(value) : UNITS.find(({ pattern }) => pattern.test(name))?.format(value);
}

/** A changed field and both its sides; these as they stand where they would look the same with their unit. */
export function unitChange(path: string, values: readonly string[]): { readonly path: string; readonly values: readonly string[] } {
  const start = path.lastIndexOf('.') + 1;
  const name = path.slice(start);
  const texts = values.map(value => unitText(name, /^\d+$/.test(value) ? Number(value) : undefined) ?? value);
  return { path: path.slice(0, start) + unitName(name), values: new Set(texts).size < values.length ? values : texts };
}
