/** `run --env-file`: docker's format of environment files. */
import type { NamedValue } from '#model/pair-schema.ts';

export interface EnvFile {
  readonly variables: readonly NamedValue[];
  /** Line numbers from 1. */
  readonly badLines: readonly number[];
}

/**
 * `NAME=value` lines; the value is everything behind the first `=`, quotes included. `NAME` alone
 * has the value of `environment`, and is left out where that has none. Blank lines and `#` comments
 * are skipped.
 * Source: docker/cli, pkg/kvfile/kvfile.go
 */
export function parseEnvFile(text: string, environment: ReadonlyMap<string, string>): EnvFile {
  const variables: NamedValue[] = [];
  const badLines: number[] = [];
  for (const [index, line] of text.replace(/^\uFEFF/, '').split(/\r?\n/).entries()) {
    const trimmed = line.trimStart();
    if (trimmed === '' || trimmed.startsWith('#')) {
      continue;
    }
    const equals = trimmed.indexOf('=');
    const name = equals < 0 ? trimmed.trimEnd() : trimmed.slice(0, equals);
    const value = equals < 0 ? environment.get(name) : trimmed.slice(equals + 1);
    if (name === '' || /\s/.test(name)) {
      badLines.push(index + 1);
    } else if (value !== undefined) {
      variables.push({ name, value });
    }
  }
  return { variables, badLines };
}
