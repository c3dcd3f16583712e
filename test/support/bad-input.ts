/** A case of test/fixtures/badinputs, and the bytes it describes. */
import { readFileSync } from 'node:fs';
import path from 'node:path';

type Part = string | { readonly repeat: string; readonly times: number } | { readonly each: string; readonly times: number } | { readonly hex: string };

export interface BadInput {
  readonly id: string;
  readonly intent: string;
  readonly yaml?: string;
  readonly gen?: readonly Part[];
  readonly encoding?: string;
  readonly steps?: readonly string[];
  readonly limits?: { readonly ms?: number; readonly s?: number; readonly rssDeltaMB?: number };
  readonly expect: {
    readonly outcome: string;
    readonly field: string | null;
    readonly line: number | null;
    readonly lineAny?: readonly number[];
    readonly words?: readonly string[];
    readonly also?: readonly string[];
  };
}

export function readBadInputs(name: string): readonly BadInput[] {
  const file = path.join(import.meta.dirname, '../fixtures/badinputs', name);
  return readFileSync(file, 'utf8').trim().split('\n').map(line => JSON.parse(line) as BadInput);
}

/** @throws Error for a part this builder does not know: a case is never skipped by accident */
export function buildBytes(input: BadInput): Uint8Array {
  if (input.encoding !== undefined) {
    if (input.encoding !== 'utf-16le') {
      throw new Error(`${input.id}: unknown encoding ${input.encoding}`);
    }
    return Buffer.from(input.yaml ?? '', 'utf16le');
  }
  const parts = input.gen ?? (input.yaml === undefined ? undefined : [input.yaml]);
  if (parts === undefined) {
    throw new Error(`${input.id}: neither yaml nor gen`);
  }
  return Buffer.concat(parts.map(part => buildPart(input.id, part)));
}

function buildPart(id: string, part: Part): Buffer {
  if (typeof part === 'string') {
    return Buffer.from(part);
  }
  if ('repeat' in part) {
    return Buffer.from(part.repeat.repeat(part.times));
  }
  if ('each' in part) {
    return Buffer.from(Array.from({ length: part.times }, (_, index) => part.each.replaceAll('%d', String(index))).join(''));
  }
  if ('hex' in part) {
    return Buffer.from(part.hex, 'hex');
  }
  throw new Error(`${id}: unknown part ${JSON.stringify(part)}`);
}

/** `items` in an order that `seed` decides. Source: Fisher-Yates; mulberry32 as the generator. */
export function shuffled<T>(items: readonly T[], seed: number): readonly T[] {
  const result = [...items];
  let state = seed >>> 0;
  for (let index = result.length - 1; index > 0; index -= 1) {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    const other = ((mixed ^ (mixed >>> 14)) >>> 0) % (index + 1);
    [result[index], result[other]] = [result[other] as T, result[index] as T];
  }
  return result;
}
