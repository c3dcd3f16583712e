/** `completion SHELL` prints the script; the script asks `completion words -- ...`. */
import type { Command } from 'commander';
import { completeWords, completionScript, SHELLS } from '../completion.ts';
import type { CompletionCommand } from '../completion.ts';
import { UsageError } from '../options.ts';
import type { Shell } from '../ports.ts';

export async function printCompletion(shell: Shell, program: Command, what: string, words: readonly string[]): Promise<void> {
  if (what === 'words') {
    const typed = words[0] === '--' ? words.slice(1) : words;
    await shell.terminal.write(completeWords(describeCommand(program), typed).map(word => `${word}\n`).join(''));
    return;
  }
  const known = SHELLS.find(one => one === what);
  if (known === undefined) {
    throw new UsageError(`${what} is none of ${SHELLS.join(', ')}`);
  }
  await shell.terminal.write(completionScript(known));
}

function describeCommand(command: Command): CompletionCommand {
  return {
    name: command.name(),
    flags: command.options.flatMap(({ long }) => long ?? []),
    children: command.commands.map(describeCommand),
  };
}
