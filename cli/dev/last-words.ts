/** Levels of a line that says what is wrong: warn and above. Source: pino, docs/api.md, "levels" */
const WORRIED = 40;

/** What a process wrote last of what is wrong, from the lines of its log: the newest warning or error of its own, else its last line; undefined for an empty log. */
export function lastWords(log: string): string | undefined {
  const lines = log.split('\n').map(line => line.trim()).filter(line => line !== '');
  return lines.map(worry).findLast(words => words !== undefined) ?? lines.at(-1);
}

function worry(line: string): string | undefined {
  try {
    const { level = 0, msg = '', err } = JSON.parse(line) as { readonly level?: number; readonly msg?: string; readonly err?: { readonly message?: string } };
    return level < WORRIED ? undefined : [msg, err?.message ?? ''].filter(text => text !== '').join(': ');
  } catch {
    return undefined; // a line of another program, or of node itself
  }
}
