/** Programs under test: on a terminal of their own, or with pipes. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import koffi from 'koffi';
import { setTerminalSize } from '../../agent/kernel/terminal-syscall.ts';

/** Source: openpty(3); terminal attributes and size NULL: as the kernel makes them. */
const openpty = koffi.load('libc.so.6').func('int openpty(_Out_ int *master, _Out_ int *side, void *name, void *state, void *size)') as unknown as
  (master: number[], side: number[], name: null, state: null, size: null) => number;

export interface TerminalShape {
  readonly columns: number;
  readonly rows: number;
}

export interface ProgramOptions {
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDir?: string;
}

/** A text that does not come is a failure after this. */
const EXPECT_LIMIT_MS = 90_000;

/** A program whose stdin, stdout and stderr are one terminal, with somebody at it. */
export class PtyProcess {
  readonly #child: ChildProcess;
  readonly #stream: ReadStream;
  readonly #masterFd: number;
  readonly #chunks: Buffer[] = [];
  readonly #ended: Promise<number>;
  #seenCount = 0;
  #onNews: () => void = () => undefined;

  constructor(argv: readonly string[], shape: TerminalShape, options: ProgramOptions) {
    const { masterFd, side } = openTerminal();
    setTerminalSize(masterFd, shape);
    this.#masterFd = masterFd;
    // setsid --ctty makes the terminal the program's own, so that Ctrl-C and a new size become signals.
    this.#child = spawn('setsid', ['--ctty', ...argv], { stdio: [side, side, side], env: { ...options.environment, TERM: 'xterm' }, cwd: options.workingDir });
    closeSync(side);
    this.#stream = new ReadStream(masterFd);
    this.#stream.on('error', () => { /* EIO: nobody has the other side open any more. Source: pts(4) */ });
    this.#stream.on('data', (bytes: Buffer) => {
      this.#chunks.push(bytes);
      this.#onNews();
    });
    this.#ended = this.#end();
  }

  /** All that was shown so far. */
  get output(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }

  /** Waits until `text` is shown, after what was expected before. @throws Error with all that was shown */
  async expect(text: string): Promise<void> {
    if (!await this.shows(text, EXPECT_LIMIT_MS)) {
      throw new Error(`${JSON.stringify(text)} was not shown; shown was ${JSON.stringify(this.output.slice(-2000))}`);
    }
  }

  /** Waits until `text` is shown, after what was expected before, for at most `limitMs`. */
  async shows(text: string, limitMs: number): Promise<boolean> {
    const deadline = performance.now() + limitMs;
    for (;;) {
      const found = this.output.indexOf(text, this.#seenCount);
      if (found >= 0) {
        this.#seenCount = found + text.length;
        return true;
      }
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) {
        return false;
      }
      await this.#news(leftMs);
    }
  }

  type(text: string): void {
    this.#stream.write(text);
  }

  resize(shape: TerminalShape): void {
    setTerminalSize(this.#masterFd, shape);
  }

  /** The exit code, once all of the output is there; 128 + signal when killed. */
  async end(): Promise<number> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.#child.kill('SIGKILL');
        reject(new Error(`the program did not end; shown was ${JSON.stringify(this.output.slice(-2000))}`));
      }, EXPECT_LIMIT_MS);
    });
    return await Promise.race([this.#ended, late]).finally(() => { clearTimeout(timer); });
  }

  async #end(): Promise<number> {
    const closed = new Promise<void>(resolve => { this.#stream.once('close', () => { resolve(); }); });
    const [code, signal] = await once(this.#child, 'exit') as [number | null, NodeJS.Signals | null];
    await closed;
    return code ?? 128 + (SIGNALS[signal ?? ''] ?? 0);
  }

  async #news(limitMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>(resolve => {
      this.#onNews = resolve;
      timer = setTimeout(resolve, limitMs);
    });
    clearTimeout(timer);
  }
}

function openTerminal(): { readonly masterFd: number; readonly side: number } {
  const [master, side] = [[-1], [-1]];
  if (openpty(master, side, null, null, null) !== 0) {
    throw new Error(`openpty: errno ${String(koffi.errno())}`);
  }
  return { masterFd: master[0] ?? -1, side: side[0] ?? -1 };
}

const SIGNALS: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

export interface PipedOutcome {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/** Runs a program with pipes to its end. */
export async function runPiped(argv: readonly string[], input: Uint8Array | undefined, options: ProgramOptions): Promise<PipedOutcome> {
  const [program = '', ...args] = argv;
  const child = spawn(program, args, {
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'], env: { ...options.environment }, cwd: options.workingDir, timeout: EXPECT_LIMIT_MS * 2, killSignal: 'SIGKILL',
  });
  const outputs = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  child.stdout?.on('data', (bytes: Buffer) => { outputs.stdout.push(bytes); });
  child.stderr?.on('data', (bytes: Buffer) => { outputs.stderr.push(bytes); });
  child.stdin?.on('error', () => { /* it ended without reading all; its exit code tells */ });
  child.stdin?.end(input);
  const [code, signal] = await once(child, 'close') as [number | null, NodeJS.Signals | null];
  return { code: code ?? 128 + (SIGNALS[signal ?? ''] ?? 0), stdout: Buffer.concat(outputs.stdout), stderr: Buffer.concat(outputs.stderr) };
}
