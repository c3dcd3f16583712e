import { readFileSync } from 'node:fs';
import path from 'node:path';

const SYSTEMD = path.resolve(import.meta.dirname, '../../deploy/systemd');

/** The text of a file in deploy/systemd with `from` -> `to` for each pair: a shipped file made to fit a test's machine. */
export function shippedFile(name: string, changes: Readonly<Record<string, string>>): string {
  return Object.entries(changes).reduce((text, [from, to]) => text.replaceAll(from, to), readFileSync(path.join(SYSTEMD, name), 'utf8'));
}

/** Variables of an environment file, as systemd reads it. Source: systemd.exec(5), EnvironmentFile= */
export function environmentOf(text: string): Readonly<Record<string, string>> {
  const lines = text.split('\n').filter(line => /^[A-Z_]+=/.test(line));
  return Object.fromEntries(lines.map(line => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1).replace(/^"(.*)"$/, '$1')]));
}

/** $GANTRY_OPTIONS of an environment file, split at blanks as systemd does. Source: systemd.service(5), "COMMAND LINES" */
export function optionsOf(text: string): readonly string[] {
  return (environmentOf(text)['GANTRY_OPTIONS'] ?? '').split(' ');
}
