/** argv in, exit code out: every call of clusterctl but `--version`. */
import { CommanderError } from 'commander';
import type { Command } from 'commander';
import { systemClock } from '#kit/clock.ts';
import { buildProgram } from './clusterctl.ts';
import { commandPath, explainUnknown, listCommands } from './completion.ts';
import { describeCommand } from './verb-table.ts';
import type { WithShell } from './verb-table.ts';
import { describeEnding, EXIT, ProcessExit, TimeoutError } from './exit-code.ts';
import { readGlobalOptions, UsageError } from './options.ts';
import type { Shell } from './ports.ts';
import { CommandShell } from './shell-flow.ts';
import type { ShellParts } from './shell-flow.ts';
import { ProcessTerminal } from './terminal/terminal-tty.ts';

const EXIT_ON_SIGNAL = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
const interrupted = new AbortController();

/** Ends the process. */
export async function runCommandLine(variables: ReadonlyMap<string, string>): Promise<never> {
  const terminal = new ProcessTerminal(variables);
  for (const [signal, exitCode] of Object.entries(EXIT_ON_SIGNAL)) {
    process.on(signal, () => {
      if (!terminal.tellSignal(signal)) {
        interrupted.abort(new ProcessExit(exitCode));
      }
    });
  }
  const exitCode = await run(process.argv, { terminal, environment: variables });
  await terminal.flush();
  process.exit(exitCode);
}

type Surroundings = Pick<ShellParts, 'environment'> & { readonly terminal: ProcessTerminal };

async function run(argv: readonly string[], surroundings: Surroundings): Promise<number> {
  const { terminal } = surroundings;
  const isJson = asksForJson(argv);
  const usage: string[] = [];
  const program = buildProgram(async (flags, work) => { await withShell(surroundings, flags, work); }, argv.slice(2));
  catchUsage(program, text => { usage.push(text); });
  try {
    await program.parseAsync(argv.length > 2 ? argv : [...argv, '--help']);
    return EXIT.done;
  } catch (error) {
    const known = error instanceof CommanderError ? usageOf(error, { said: usage.join(''), program, argv }) : error;
    if (known === undefined) {
      return EXIT.done;
    }
    const ending = describeEnding(known, isJson);
    await terminal.writeError(ending.text);
    return ending.exitCode;
  }
}

async function withShell(
  { terminal, environment }: Surroundings, ...[flags, work]: Parameters<WithShell>
): Promise<void> {
  const options = readGlobalOptions(flags);
  const signals = [interrupted.signal];
  let timer: NodeJS.Timeout | undefined;
  if (options.timeoutMs !== undefined) {
    const late = new AbortController();
    timer = setTimeout(() => { late.abort(new TimeoutError(`not done within ${flags.timeout ?? ''}; give more time with --timeout`)); }, options.timeoutMs);
    signals.push(late.signal);
  }
  const signal = AbortSignal.any(signals);
  const shell = new CommandShell({
    options, terminal, clock: systemClock, environment, signal, newRequestId: () => crypto.randomUUID(),
    files: {
      read: async file => await (await import('./manifest-fs.ts')).readNamedFile(file),
      readInput: async () => await readAll(terminal, signal),
    },
  });
  try {
    await Promise.race([work(shell as Shell), rejectOnAbort(signal)]);
  } finally {
    clearTimeout(timer);
    await shell.close();
  }
}

async function readAll(terminal: ProcessTerminal, signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of terminal.input(signal)) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Flows stop at the signal by themselves; this ends those that wait for something that never comes. */
async function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return await new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => { reject(signal.reason as Error); }, { once: true });
  });
}

function catchUsage(command: Command, say: (text: string) => void): void {
  command.exitOverride().configureOutput({ writeErr: say, outputError: say });
  for (const child of command.commands) {
    catchUsage(child, say);
  }
}

interface UsageFacts {
  /** What commander would have said on stderr. */
  readonly said: string;
  readonly program: Command;
  readonly argv: readonly string[];
}

/** undefined when commander has only shown help or the version. */
function usageOf(error: CommanderError, { said, program, argv }: UsageFacts): UsageError | undefined {
  if (error.exitCode === 0) {
    return undefined;
  }
  const unknown = /^error: unknown command '(.*)'/.exec(error.message)?.[1];
  const given = argv.slice(2);
  const path = commandPath(describeCommand(program), unknown === undefined ? given : given.slice(0, given.indexOf(unknown)));
  const [command] = path.slice(-1);
  const words = path.map(({ name }) => name).join(' ');
  if (command !== undefined && unknown !== undefined) {
    return new UsageError(explainUnknown({ ...command, name: words }, unknown, given));
  }
  if (command !== undefined && error.code === 'commander.help') {
    return new UsageError(`no command given; ${listCommands({ ...command, name: words })}`);
  }
  const suggestion = /\(Did you mean (.*)\?\)/.exec(said)?.[1];
  const message = error.message.replace(/^error: /, '').replace(/\.$/, '').replace(/\s*\(Did you mean[^)]*\)/s, '');
  return new UsageError(suggestion === undefined ? `${message}; see ${words} --help` : `${message}; did you mean '${suggestion.replace('one of ', '')}'?`);
}

function asksForJson(argv: readonly string[]): boolean {
  return argv.some((word, index) => word === '-ojson' || word === '--output=json' || ((word === '-o' || word === '--output') && argv[index + 1] === 'json'));
}
