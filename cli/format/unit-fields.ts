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

/** `memory` of `memoryBytes`, `cpus` of `milliCpu`; other names stay. */
export function unitName(name: string): string {
  return name === CPU ? 'cpus' : UNITS.reduce((text, { pattern }) => text.replace(pattern, ''), name);
}

/** `32Mi`, `250m`, `1m30s`; undefined where the field has no unit or is no number. */
export function unitText(name: string, value: unknown): string | undefined {
  if (typeof value !== 'number') {
    return undefined;
  }
  return name === CPU ? formatCpu(value) : UNITS.find(({ pattern }) => pattern.test(name))?.format(value);
}

/** Both sides of a change of the field `path`; as they stand where they would look the same with their unit. */
export function unitChange(path: string, values: readonly string[]): readonly string[] {
  const [name = ''] = path.split('.').slice(-1);
  const texts = values.map(value => unitText(name, /^\d+$/.test(value) ? Number(value) : undefined) ?? value);
  return new Set(texts).size < values.length ? values : texts;
}

/** `limits.memory` of `limits.memoryBytes`. */
export function unitPath(path: string): string {
  return path.split('.').map(unitName).join('.');
}
