/** Prints lists and single objects in the form that `-o` asks for. */
import type { Item } from '../format/items.ts';
import { formatTable, GrowingTable } from '../format/table.ts';
import type { Table } from '../format/table.ts';
import { omittedText } from '../pending-omitted.ts';
import type { Shell } from '../ports.ts';

export interface Listing {
  readonly items: readonly Item[];
  readonly table: Table;
  /** Below the first one. */
  readonly moreTables?: readonly Table[];
  /** `type/name` of each item, for `-o name`. */
  readonly names: readonly string[];
  /** One named object: its JSON stands alone. */
  readonly isSingle: boolean;
  /** As `--format` wants it: then nothing else is printed. */
  readonly formatted?: string;
  /** Pending slots beyond the items; in JSON beside them. */
  readonly pendingOmitted?: number;
  /** What a person must know beside the list: to the standard error output. */
  readonly notice?: string;
}

export async function printListing(shell: Shell, listing: Listing): Promise<void> {
  const { output, isQuiet } = shell.options;
  if (listing.formatted !== undefined) {
    await shell.terminal.write(listing.formatted);
  } else if (output === 'name' || isQuiet) {
    await shell.terminal.write(listing.names.map(name => `${output === 'name' ? name : name.slice(name.indexOf('/') + 1)}\n`).join(''));
    return;
  } else {
    const plain = listing.isSingle ? listing.items[0] : { items: listing.items, ...omittedItem(listing) };
    await (output === 'json' || output === 'yaml' ? printPlain(shell, plain) : printTables(shell, [listing.table, ...listing.moreTables ?? []]));
  }
  const notices = [listing.notice, omittedText(listing.pendingOmitted ?? 0)].filter(notice => notice !== undefined);
  if (notices.length > 0) {
    await shell.terminal.writeError(`${notices.join('\n')}\n`);
  }
}

function omittedItem({ pendingOmitted = 0 }: Listing): Pick<Listing, 'pendingOmitted'> {
  return pendingOmitted === 0 ? {} : { pendingOmitted };
}

/** One document in JSON, or in YAML with `-o yaml`. */
export async function printPlain(shell: Shell, plain: unknown): Promise<void> {
  if (shell.options.output === 'yaml') {
    const { formatYaml } = await import('../yaml-text.ts');
    await shell.terminal.write(formatYaml(plain, shown));
    return;
  }
  const { jsonPath } = shell.options;
  const text = JSON.stringify(plain, shown, 2);
  await shell.terminal.write(jsonPath === undefined ? `${text}\n` : jsonPath(JSON.parse(text)));
}

/** One object a line with `-o json`, or each by the template of `-o jsonpath=`. */
export function jsonLines({ options: { jsonPath } }: Shell, items: readonly Item[]): string {
  return items.map(item => (jsonPath === undefined ? `${JSON.stringify(item)}\n` : jsonPath(item))).join('');
}

/** Fields of a newer program, which are kept as bytes, are not printed. */
const KEPT_BYTES: ReadonlySet<unknown> = new Set(['_unknownFields', '$around']);

function shown(key: unknown, value: unknown): unknown {
  return KEPT_BYTES.has(key) ? undefined : value;
}

/** Rows as they come, under one head. */
export class TablePrinter {
  readonly #shell: Shell;
  readonly #grown = new GrowingTable();
  #isFirst = true;

  constructor(shell: Shell) {
    this.#shell = shell;
  }

  async add(table: Table): Promise<void> {
    const [head = '', ...lines] = this.#grown.add(table).split('\n');
    const { terminal } = this.#shell;
    await terminal.write([this.#isFirst ? terminal.style('bold', head) : head, ...lines].join('\n'));
    this.#isFirst = false;
  }
}

async function printTables(shell: Shell, tables: readonly Table[]): Promise<void> {
  const filled = tables.filter(({ rows }) => rows.length > 0);
  if (filled.length === 0) {
    await shell.terminal.writeError('nothing found\n');
    return;
  }
  await shell.terminal.write(filled.map(table => {
    const [head = '', ...lines] = formatTable(table).split('\n');
    return [shell.terminal.style('bold', head), ...lines].join('\n');
  }).join('\n'));
}

/** A line about what was done; silent with -q, on stderr where stdout is for machines. */
export async function say(shell: Shell, text: string): Promise<void> {
  if (shell.options.isQuiet) {
    return;
  }
  await (shell.options.output === 'table' || shell.options.output === 'wide' ? shell.terminal.write(`${text}\n`) : shell.terminal.writeError(`${text}\n`));
}
