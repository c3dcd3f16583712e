import { parseArgs } from 'node:util';
import type { ParseArgsConfig } from 'node:util';

type Options = NonNullable<ParseArgsConfig['options']>;
type Config<Given extends Options> = { readonly args: string[]; readonly allowPositionals: true; readonly options: Given & { readonly help: { readonly type: 'boolean'; readonly short: 'h' } } };
export type ScriptOptions<Given extends Options> = ReturnType<typeof parseArgs<Config<Given>>>;

/** A way to call a script that is none; `message` says what is wrong. */
export class UsageError extends Error {}

const EXIT_USAGE = 2;

/**
 * The options of a script behind `npm run`. `--help` prints `usage` and exits 0; what is unknown, or what `read` refuses with a UsageError,
 * is told on standard error with the usage, and exits 2.
 */
export function scriptOptions<Given extends Options, Read>(usage: string, options: Given, read: (given: ScriptOptions<Given>) => Read): Read {
  try {
    const given = parseArgs<Config<Given>>({ args: process.argv.slice(2), allowPositionals: true, options: { ...options, help: { type: 'boolean', short: 'h' } } });
    if ((given.values as { readonly help?: boolean }).help === true) {
      console.log(usage);
      process.exit(0);
    }
    return read(given);
  } catch (error) {
    if (!isUsageError(error)) throw error;
    console.error(`${error.message}\n\n${usage}`);
    process.exit(EXIT_USAGE);
  }
}

/** @throws UsageError unless `text` is a whole number from `least` on, of nine digits at most */
export function requireCount(option: string, text: string, least = 1): number {
  if (!/^\d{1,9}$/.test(text) || Number(text) < least) {
    throw new UsageError(`--${option} ${text}: a whole number from ${String(least)} on is expected`);
  }
  return Number(text);
}

/** @throws UsageError for a name that is not among `known` */
export function requireNames(what: string, names: readonly string[], known: readonly string[]): readonly string[] {
  const unknown = names.filter(name => !known.includes(name));
  if (unknown.length > 0) {
    throw new UsageError(`no ${what} ${unknown.join(', ')}; there are ${known.join(', ')}`);
  }
  return names;
}

/** Node's own complaints about options count as ours. Source: Node.js util.parseArgs, "ERR_PARSE_ARGS_*" */
function isUsageError(error: unknown): error is Error {
  return error instanceof UsageError || (error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS_'));
}
