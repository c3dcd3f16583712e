/** `completion SHELL` prints the script; the script asks `completion words -- ...`. */
import type { Command } from 'commander';
import { printable } from '#model/printable.ts';
import type { ControlClient, ListFilter } from '#model/ports.ts';
import { completeNames, wantedNames, wantedNamespace } from '../completion-names.ts';
import type { Listed, WantedNames } from '../completion-names.ts';
import { commandPath, completeWords, completionScript, SHELLS } from '../completion.ts';
import type { CompletionCommand } from '../completion.ts';
import { completeField } from '../explain.ts';
import { nameOf } from '../format/volumes.ts';
import { UsageError } from '../options.ts';
import type { Shell } from '../ports.ts';
import { describeCommand } from '../verb-table.ts';

export async function printCompletion(shell: Shell, program: Command, what: string, words: readonly string[]): Promise<void> {
  if (what === 'words') {
    const typed = words[0] === '--' ? words.slice(1) : words;
    const known = await candidates(shell, describeCommand(program), typed);
    await shell.terminal.write(known.map(word => `${word}\n`).join(''));
    return;
  }
  const known = SHELLS.find(one => one === what);
  if (known === undefined) {
    throw new UsageError(`${what} is none of ${SHELLS.join(', ')}`);
  }
  await shell.terminal.write(completionScript(known));
}

/** Asks the cluster only where one of its names may follow. */
async function candidates(shell: Shell, root: CompletionCommand, typed: readonly string[]): Promise<readonly string[]> {
  if (commandPath(root, typed.slice(0, -1)).at(-1)?.name === 'explain' && !(typed.at(-1) ?? '').startsWith('-')) {
    return completeField(typed.at(-1) ?? '');
  }
  const wanted = wantedNames(root, typed);
  if (wanted.kinds.length + wanted.types.length === 0 && wanted.listed === undefined) {
    return completeWords(root, typed);
  }
  return (await namesOf(shell, wanted, typed)).map(printable);
}

async function namesOf(shell: Shell, wanted: WantedNames, typed: readonly string[]): Promise<readonly string[]> {
  const listed = wanted.listed === undefined ? [] : await LISTS[wanted.listed](await shell.connect(), wantedNamespace(typed));
  const needsNodes = wanted.kinds.length === 1 && wanted.kinds[0] === 'node';
  const view = wanted.kinds.length === 0 ? { services: [], tasks: [], apps: [], nodes: [] } : await (await shell.connect()).view(needsNodes ? {} : wantedNamespace(typed));
  return completeNames(wanted, typed.at(-1) ?? '', view, listed);
}

const LISTS: Readonly<Record<Listed, (client: ControlClient, filter: Pick<ListFilter, 'namespace'>) => Promise<readonly string[]>>> = {
  volume: async (client, filter) => (await client.listVolumes(filter)).map(nameOf),
  secret: async (client, filter) => (await client.listSecrets(filter)).map(({ name }) => name),
};
