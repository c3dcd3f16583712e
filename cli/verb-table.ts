/** How a verb is written down: its words, its help, and the flow that runs it with a Shell. */
import { Command, Option } from 'commander';
import { explainUnknown } from './completion.ts';
import { formatTable } from './format/table.ts';
import type { CompletionCommand } from './completion.ts';
import { UsageError } from './options.ts';
import type { GlobalFlags } from './options.ts';
import type { Shell } from './ports.ts';

/** Runs `work` with a Shell made from the global flags. */
export type WithShell = (flags: GlobalFlags, work: (shell: Shell) => Promise<void>) => Promise<void>;

export const collect = (value: string, earlier: readonly string[] | undefined): readonly string[] => [...(earlier ?? []), value];

/** The flags that every command takes. */
export function globals(command: Command): Command {
  return command
    .option('-n, --namespace <name>', 'namespace (default: default)')
    .option('-A, --all-namespaces', 'all namespaces')
    .addOption(new Option('-o, --output <format>', 'table, wide, json, yaml or name'))
    .option('-l, --selector <labels>', 'only what has these labels: key=value, key!=value, key in (a, b), key notin (a, b), key, !key')
    .option('--context <name>', 'cluster to talk to (also $GANTRY_CONTEXT)')
    .option('--timeout <duration>', 'give up after this long (exit code 124)')
    .option('-q, --quiet', 'names only, no messages')
    .option('-y, --yes', 'answer yes to questions');
}

const GLOBALS_LINE = '\nGlobal flags (-n, -A, -o, -l, --context, --timeout, -q, -y): clusterctl help flags';

/** A command takes them behind its name too, and shows them as one line. */
function withGlobals(command: Command): Command {
  globals(new Command()).options.forEach(option => command.addOption(option.hideHelp()));
  return command;
}

/** Of listings that docker's users print by a template. */
export function formatted(command: Command): Command {
  return command.option('--format <template>', 'a line of it for each, such as \'{{.ID}}\\t{{.Node}}\'; \'table {{.ID}}\' with a head, or json; a field that is none lists those there are');
}

export interface Verb<Flags> {
  /** `name <argument> [more...]` as commander reads it. */
  readonly usage: string;
  readonly about: string;
  /** The first one is shown in the help of its group, too. */
  readonly examples: readonly [string, ...string[]];
  readonly options?: (command: Command) => Command;
  readonly run: (shell: Shell, args: readonly (string | readonly string[] | undefined)[], flags: Flags & GlobalFlags) => Promise<void>;
}

export class VerbTable {
  readonly #parent: Command;
  readonly #withShell: WithShell;
  readonly #examples: string[] = [];

  constructor(parent: Command, withShell: WithShell) {
    this.#parent = parent;
    this.#withShell = withShell;
    addHelp(parent);
  }

  add<Flags = GlobalFlags>(verb: Verb<Flags>): void {
    const command = withGlobals(this.#parent.command(verb.usage)).description(verb.about);
    verb.options?.(command);
    command.addHelpText('after', `${formatExamples(verb.examples)}${GLOBALS_LINE}`);
    this.#examples.push(verb.examples[0]);
    command.action(async (...given: unknown[]) => {
      const flags = command.optsWithGlobals<Flags & GlobalFlags & Readonly<Record<string, unknown>>>();
      const args = given.slice(0, -2) as readonly (string | readonly string[] | undefined)[];
      await this.#withShell(flags, async shell => { await verb.run(shell, args, flags); });
    });
  }

  group(name: string, about: string): VerbTable {
    const group = this.#parent.command(name).description(about);
    const verbs = new VerbTable(group, this.#withShell);
    group.addHelpText('after', () => formatExamples(verbs.#examples));
    return verbs;
  }
}

/** The commands as words, for completion and for what is said of an unknown one. */
export function describeCommand(command: Command): CompletionCommand {
  return { name: command.name(), flags: command.options.flatMap(({ long }) => long ?? []), children: command.commands.map(describeCommand) };
}

/** `help WORDS...`: what `WORDS... --help` shows; `help flags`: those of every command. */
function addHelp(parent: Command): void {
  parent.helpCommand(false).command('help [command...]').description('what a command does').action((words: readonly string[]) => {
    if (parent.parent === null && words.length === 1 && words[0] === 'flags') {
      parent.configureOutput().writeOut?.(formatGlobals());
      return;
    }
    let found = parent;
    for (const word of words) {
      if (found.commands.length === 0) {
        // An argument, as in `get foo --help`.
        break;
      }
      const next = found.commands.find(child => child.name() === word);
      if (next === undefined) {
        throw new UsageError(explainUnknown(describeCommand(found), word));
      }
      found = next;
    }
    found.outputHelp();
  });
}

function formatGlobals(): string {
  return formatTable({ head: ['FLAGS OF EVERY COMMAND', 'MEANING'], rows: globals(new Command()).options.map(({ flags, description }) => [flags, description]) });
}

function formatExamples(examples: readonly string[]): string {
  return `\nExamples:\n${examples.map(example => `  ${example}\n`).join('')}`;
}

export function one(value: string | readonly string[] | undefined): string {
  return typeof value === 'string' ? value : '';
}

export function many(value: string | readonly string[] | undefined): readonly string[] {
  return typeof value === 'object' ? value : [];
}
