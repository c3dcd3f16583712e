/** `completion SHELL` prints the script; the script asks `completion words -- ...`. */
import type { Command } from 'commander';
import { printable } from '#model/printable.ts';
import { completeNames, wantedNames, wantedNamespace } from '../completion-names.ts';
import { commandPath, completeWords, completionScript, SHELLS } from '../completion.ts';
import type { CompletionCommand } from '../completion.ts';
import { completeField } from '../explain.ts';
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
  if (wanted.kinds.length + wanted.types.length === 0) {
    return completeWords(root, typed);
  }
  const needsNodes = wanted.kinds.length === 1 && wanted.kinds[0] === 'node';
  const view = wanted.kinds.length === 0 ? { services: [], tasks: [], apps: [], nodes: [] } : await (await shell.connect()).view(needsNodes ? {} : wantedNamespace(typed));
  return completeNames(wanted, typed.at(-1) ?? '', view).map(printable);
}
