import type { BenchSite } from './bench.ts';

/** The whole number that a bench's own flag says. @throws Error unless it is one from 1 to 9999999 */
export function countFlag(flags: BenchSite['flags'], name: string, fallback: number): number {
  const text = flags.get(name) ?? String(fallback);
  if (!/^[1-9]\d{0,6}$/.test(text)) {
    throw new Error(`--${name} ${text}: a number from 1 to 9999999 is expected`);
  }
  return Number(text);
}
