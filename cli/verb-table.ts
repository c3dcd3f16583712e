/** Define verbs: usage, help, and the flow that runs with a Shell. */
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

/** Add the global flags. */
export function globals(command: Command): Command {
  return command
    .option('-n, --namespace <name>', 'Namespace (default: default)')
    .option('-A, --all-namespaces', 'All namespaces')
    .addOption(new Option('-o, --output <format>', 'Output format: table, wide, json, yaml, name or jsonpath={.items[*].name}'))
    .option('-l, --selector <labels>', 'Label selector: key=value, key!=value, key in (a, b), key notin (a, b), key, !key')
    .option('--context <name>', 'Context of the cluster to use (also $GANTRY_CONTEXT)')
    .option('--timeout <duration>', 'Time after which the command gives up (exit code 124)')
    .option('-q, --quiet', 'Print names only, and no messages')
    .option('-y, --yes', 'Answer yes to every question');
}

const GLOBALS_LINE = '\nGlobal flags (-n, -A, -o, -l, --context, --timeout, -q, -y): clusterctl help flags';

/** Accept the global flags after the name of the command; its help shows them as one line. */
function withGlobals(command: Command): Command {
  globals(new Command()).options.forEach(option => command.addOption(option.hideHelp()));
  return command;
}

/** Add --format, as the listings of docker have it. */
export function formatted(command: Command): Command {
  return command.option('--format <template>', 'Format each line with a template such as \'{{.ID}}\\t{{.Node}}\', with a head as \'table {{.ID}}\', or as json; an unknown field prints the known ones');
}

export interface Verb<Flags> {
  /** `name <argument> [more...]` as commander reads it. */
  readonly usage: string;
  readonly about: string;
  /** The help of the group shows the first example. */
  readonly examples: readonly [string, ...string[]];
  readonly options?: (command: Command) => Command;
  readonly run: (shell: Shell, args: readonly (string | readonly string[] | undefined)[], flags: Flags & GlobalFlags) => Promise<void>;
}

export class VerbTable {
  readonly #parent: Command;
  readonly #withShell: WithShell;
  readonly #called: ReadonlySet<string> | undefined;
  readonly #examples: string[] = [];

  /** @param called  words of the call: commands of other names get no flags, which takes most of the time. Absent: all get theirs */
  constructor(parent: Command, withShell: WithShell, called?: ReadonlySet<string>) {
    this.#parent = parent;
    this.#withShell = withShell;
    this.#called = called;
    addHelp(parent);
  }

  add<Flags = GlobalFlags>(verb: Verb<Flags>): void {
    const command = this.#parent.command(verb.usage).description(verb.about);
    this.#examples.push(verb.examples[0]);
    if (this.#called?.has(command.name()) === false) {
      return;
    }
    withGlobals(command);
    verb.options?.(command);
    command.addHelpText('after', `${formatExamples(verb.examples)}${GLOBALS_LINE}`);
    command.action(async (...given: unknown[]) => {
      const flags = command.optsWithGlobals<Flags & GlobalFlags & Readonly<Record<string, unknown>>>();
      const args = given.slice(0, -2) as readonly (string | readonly string[] | undefined)[];
      await this.#withShell(flags, async shell => { await verb.run(shell, args, flags); });
    });
  }

  group(name: string, about: string): VerbTable {
    const group = this.#parent.command(name).description(about);
    const verbs = new VerbTable(group, this.#withShell, this.#called);
    group.addHelpText('after', () => formatExamples(verbs.#examples));
    return verbs;
  }
}

/** Describe commands for completion and for the error of an unknown command. */
export function describeCommand(command: Command): CompletionCommand {
  return { name: command.name(), flags: command.options.flatMap(({ long }) => long ?? []), children: command.commands.map(describeCommand) };
}

/** Add `help WORDS...` (as `WORDS... --help`) and `help flags` (the global flags). */
function addHelp(parent: Command): void {
  parent.helpCommand(false).command('help [command...]').description('Show the help of a command').action((words: readonly string[]) => {
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
  return formatTable({ head: ['GLOBAL FLAG', 'MEANING'], rows: globals(new Command()).options.map(({ flags, description }) => [flags, description]) });
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
