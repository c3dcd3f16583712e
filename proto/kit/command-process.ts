import { spawn } from 'node:child_process';
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { ClusterError } from '#model/errors.ts';

export interface CommandOutcome {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly input?: string;
  readonly timeoutMs?: number;
  readonly environment?: Readonly<Record<string, string>>;
  readonly workingDir?: string;
  readonly signal?: AbortSignal;
}

/** Output above this is cut: tools that Gantry runs print little. */
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
const DEFAULT_TIMEOUT_MS = 30_000;
/** Enough to find Debian's tools whatever the caller's PATH was. */
export const TOOL_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Runs a tool without a shell and collects its output; a non-zero exit is an outcome, not an error. @throws ClusterError FAILED_PRECONDITION when the program is not there */
export async function runCommand(program: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandOutcome> {
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: TOOL_PATH, LC_ALL: 'C', ...options.environment },
    timeout: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    killSignal: 'SIGKILL',
    ...(options.workingDir === undefined ? {} : { cwd: options.workingDir }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  return await new Promise<CommandOutcome>((resolve, reject) => {
    let stdout = '';
    let stderr = '';
    // Without a descriptor left there is a child without streams, and its error.
    const streams: Partial<Pick<typeof child, 'stdin' | 'stdout' | 'stderr'>> = child;
    streams.stdout?.setEncoding('utf8').on('data', (text: string) => { if (stdout.length < MAX_OUTPUT_BYTES) stdout += text; });
    streams.stderr?.setEncoding('utf8').on('data', (text: string) => { if (stderr.length < MAX_OUTPUT_BYTES) stderr += text; });
    streams.stdin?.on('error', () => { /* the program ended without reading its input; its exit code tells */ });
    child.on('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'ENOENT' ? new ClusterError('FAILED_PRECONDITION', `program ${program} is not installed`, { cause: error }) : error);
    });
    child.on('close', (exitCode, signal) => { resolve({ exitCode, signal, stdout, stderr }); });
    streams.stdin?.end(options.input ?? '');
  });
}

/** Like `runCommand`, for tools that must succeed. @throws Error with the tool's own last words */
export async function requireCommand(program: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const outcome = await runCommand(program, args, options);
  if (outcome.exitCode !== 0) {
    const ending = outcome.exitCode === null ? `killed by ${outcome.signal ?? 'a signal'}` : `exit ${String(outcome.exitCode)}`;
    throw new Error(`${program} ${args.join(' ')}: ${ending}: ${outcome.stderr.trim() || outcome.stdout.trim()}`);
  }
  return outcome.stdout;
}

/** Starts a long-lived program and gives the child to the caller, who owns its end. */
export function startProcess(program: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  return spawn(program, args, options);
}
