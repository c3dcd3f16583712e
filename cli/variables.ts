/** `${VAR}`, `${VAR:-default}` and `${VAR:?message}` in a manifest's values; `$$` is a dollar (manifest rule 13). */
import { printable } from '#model/printable.ts';

export type Variables = ReadonlyMap<string, string>;

export interface Expansion {
  readonly text: string;
  /** One for each variable that has no value. */
  readonly problems: readonly string[];
}

const REFERENCE = /\$(?:(?<dollar>\$)|\{(?<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?<operator>:-|:\?)(?<operand>[^}]*))?\}|\{(?<bad>[^}]*)\}?)/g;

export function expandVariables(text: string, variables: Variables): Expansion {
  const problems: string[] = [];
  const expanded = text.replace(REFERENCE, (whole: string, ...args: unknown[]) => {
    const groups = args.at(-1) as Readonly<Record<string, string | undefined>>;
    if (groups['dollar'] !== undefined) {
      return '$';
    }
    const { name } = groups;
    if (name === undefined) {
      problems.push(`cannot read '${printable(whole)}'; write \${NAME}, \${NAME:-default} or \${NAME:?message}, and $$ for a dollar`);
      return '';
    }
    const value = variables.get(name);
    if (value !== undefined && (value !== '' || groups['operator'] === undefined)) {
      return value;
    }
    if (groups['operator'] === ':-') {
      return groups['operand'] ?? '';
    }
    problems.push(describeUnset(name, groups['operator'] === ':?' ? groups['operand'] : undefined));
    return '';
  });
  return { text: expanded, problems };
}

/** `NAME=value` lines; blank lines and `#` comments are skipped, quotes around a value are taken off. */
export function parseEnvironmentFile(text: string): { readonly variables: Variables; readonly badLines: readonly number[] } {
  const variables = new Map<string, string>();
  const badLines: number[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*(?:#|$)/.test(line)) {
      continue;
    }
    const match = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(?:"([^"]*)"|'([^']*)'|(.*?))\s*$/.exec(line);
    const [, name, double, single, plain] = match ?? [];
    if (name === undefined) {
      badLines.push(index + 1);
      continue;
    }
    variables.set(name, double ?? single ?? plain ?? '');
  }
  return { variables, badLines };
}

function describeUnset(name: string, message: string | undefined): string {
  return message === undefined || message === ''
    ? `variable ${name} is not set; give --var ${name}=... or write \${${name}:-default}; $\${${name}} keeps the text \${${name}}`
    : `variable ${name} is not set: ${printable(message)}`;
}
