/** Amounts as a person writes them <-> integers in the unit the model uses (manifest rule 3). */
import { quoted } from './printable.ts';

/** What a parser says: the value, or the problem as the end of a sentence about the input. */
export type Parsed<T> = { readonly value: T } | { readonly problem: string };

const MEMORY_UNITS: Readonly<Record<string, number>> = { '': 1, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 };
const AMBIGUOUS_UNITS: Readonly<Record<string, { readonly binary: string; readonly decimal: number }>> = {
  K: { binary: 'Ki', decimal: 1e3 }, M: { binary: 'Mi', decimal: 1e6 }, G: { binary: 'Gi', decimal: 1e9 }, T: { binary: 'Ti', decimal: 1e12 },
};
const DURATION_UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Bytes of `256Mi`, `1.5Gi` or `1048576`. */
export function parseMemory(text: string): Parsed<number> {
  const match = /^(-?\d+(?:\.\d+)?) ?([A-Za-z]*)$/.exec(text);
  if (match === null) {
    return { problem: `${quoted(text)} is not an amount of memory; write 256Mi, 2Gi or plain bytes` };
  }
  const [, digits = '', unit = ''] = match;
  const ambiguous = AMBIGUOUS_UNITS[unit.toUpperCase()];
  if (ambiguous !== undefined) {
    return { problem: describeBothReadings(text, digits, ambiguous) };
  }
  const factor = Object.hasOwn(MEMORY_UNITS, unit) ? MEMORY_UNITS[unit] : undefined;
  if (factor === undefined) {
    return { problem: `unknown unit ${quoted(unit)}; use Ki, Mi, Gi, Ti or plain bytes` };
  }
  return wholeNumber(Number(digits) * factor, text, 'bytes');
}

/** Thousandths of a core of `0.5`, `2` or `500m`. */
export function parseCpu(text: string): Parsed<number> {
  const match = /^(-?\d+(?:\.\d+)?)(m?)$/.exec(text);
  if (match === null) {
    return { problem: `${quoted(text)} is not a number of cpus; write 0.5 or 500m` };
  }
  const [, digits = '', unit = ''] = match;
  const milli = unit === 'm' ? Number(digits) : Number(digits) * 1000;
  const rounded = Math.round(milli);
  return wholeNumber(Math.abs(milli - rounded) < 1e-6 ? rounded : milli, text, 'thousandths of a cpu');
}

/** Milliseconds of `500ms`, `10s` or `1m30s`. */
export function parseDuration(text: string): Parsed<number> {
  if (/^-/.test(text)) {
    return { problem: `${quoted(text)} is negative; a duration is 0s or more` };
  }
  if (/^\d+(?:\.\d+)?$/.test(text)) {
    return { problem: `${quoted(text)} has no unit; write ${text}s or use ms, m, h, d` };
  }
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/.test(text)) {
    return { problem: `${quoted(text)} is not a duration; write 500ms, 10s or 1m30s (units ms s m h d)` };
  }
  let totalMs = 0;
  for (const [, digits = '', unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    totalMs += Number(digits) * (DURATION_UNITS_MS[unit] ?? 0);
  }
  return wholeNumber(Math.round(totalMs * 1e6) / 1e6, text, 'milliseconds');
}

/** Whole percents of `60%`. */
export function parsePercent(text: string): Parsed<number> {
  const match = /^(-?\d+(?:\.\d+)?)%$/.exec(text);
  return match === null ? { problem: `${quoted(text)} is not a share; write 60%` } : wholeNumber(Number(match[1]), text, 'percents');
}

/** `256Mi`: the largest unit that divides `bytes`, else one decimal of the largest that fits. */
export function formatMemory(bytes: number): string {
  const units = ['Ti', 'Gi', 'Mi', 'Ki'];
  for (const unit of units) {
    const factor = MEMORY_UNITS[unit] ?? 1;
    if (bytes >= factor) {
      return bytes % factor === 0 ? `${String(bytes / factor)}${unit}` : `${(bytes / factor).toFixed(1)}${unit}`;
    }
  }
  return String(bytes);
}

/** `500m` below a core, else `2` or `1.5`. */
export function formatCpu(milliCpu: number): string {
  return milliCpu < 1000 ? `${String(milliCpu)}m` : String(milliCpu / 1000);
}

/** `1m30s`; `0s` for nothing. */
export function formatDuration(durationMs: number): string {
  let restMs = durationMs;
  let text = '';
  for (const [unit, factor] of Object.entries(DURATION_UNITS_MS).reverse()) {
    const count = Math.floor(restMs / factor);
    if (count > 0) {
      text += String(count) + unit;
      restMs -= count * factor;
    }
  }
  return text === '' ? '0s' : text;
}

function describeBothReadings(text: string, digits: string, unit: { readonly binary: string; readonly decimal: number }): string {
  const binaryBytes = Number(digits) * (MEMORY_UNITS[unit.binary] ?? 1);
  const decimalBytes = Number(digits) * unit.decimal;
  return `${quoted(text)} has two readings: ${digits}${unit.binary} (${String(binaryBytes)} bytes, as in Compose) `
    + `or ${String(decimalBytes)} bytes (as in Kubernetes); write one of them`;
}

function wholeNumber(value: number, text: string, unit: string): Parsed<number> {
  if (value < 0) {
    return { problem: `${quoted(text)} is negative; it must be > 0` };
  }
  if (!Number.isSafeInteger(value)) {
    return { problem: `${quoted(text)} is not a whole number of ${unit} below 2^53` };
  }
  return { value };
}
