/** The only door to stdin, stdout and stderr. */
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { styleText } from 'node:util';
import { startProcess } from '#kit/command-process.ts';
import type { TerminalSize } from '#model/tunnel.ts';
import type { Style, Terminal } from '../ports.ts';

const STDERR = 2;

/** Writers wait when a stream is full; a reader that went away (EPIPE) ends the process quietly, as `head` expects. */
export class ProcessTerminal implements Terminal {
  readonly isOutputTerminal = process.stdout.isTTY;
  readonly isErrorTerminal = process.stderr.isTTY;
  readonly isInputTerminal = process.stdin.isTTY;
  readonly #hasColour: boolean;
  #signalListener: ((signal: string) => void) | undefined;

  constructor(environment: ReadonlyMap<string, string>) {
    this.#hasColour = this.isOutputTerminal && (environment.get('NO_COLOR') ?? '') === '' && environment.get('TERM') !== 'dumb';
    process.stdout.on('error', (error: NodeJS.ErrnoException) => { endOnWriteError(error, 'standard output'); });
    process.stderr.on('error', (error: NodeJS.ErrnoException) => { endOnWriteError(error, 'standard error'); });
  }

  async write(bytes: string | Uint8Array): Promise<void> {
    await writeTo(process.stdout, bytes);
  }

  async writeError(bytes: string | Uint8Array): Promise<void> {
    await writeTo(process.stderr, bytes);
  }

  /** Resolves when all that was written is out: `process.exit` drops what a pipe or socket has not taken yet. */
  async flush(): Promise<void> {
    await Promise.all([process.stdout, process.stderr].map(async stream => {
      await new Promise<void>(resolve => { stream.write('', () => { resolve(); }); });
    }));
  }

  style(style: Style, text: string): string {
    return this.#hasColour ? styleText(style, text, { validateStream: false }) : text;
  }

  size(): TerminalSize | undefined {
    return this.isOutputTerminal ? { columns: process.stdout.columns, rows: process.stdout.rows } : undefined;
  }

  onResize(listener: () => void): Disposable {
    process.stdout.on('resize', listener);
    return { [Symbol.dispose]: () => { process.stdout.off('resize', listener); } };
  }

  onSignal(listener: (signal: string) => void): Disposable {
    this.#signalListener = listener;
    return { [Symbol.dispose]: () => { this.#signalListener = undefined; } };
  }

  /** False when nobody wants it. */
  tellSignal(signal: string): boolean {
    this.#signalListener?.(signal);
    return this.#signalListener !== undefined;
  }

  async rawMode(): Promise<Disposable> {
    if (!this.isInputTerminal) {
      return { [Symbol.dispose]: () => undefined };
    }
    const restore = (): void => { process.stdin.setRawMode(false); };
    process.stdin.setRawMode(true);
    process.once('exit', restore);
    await leaveOutputAlone();
    return {
      [Symbol.dispose]: () => {
        process.off('exit', restore);
        restore();
      },
    };
  }

  async *input(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const queue: Uint8Array[] = [];
    const state = { isEnded: false };
    let wake: () => void = () => undefined;
    const onData = (chunk: Buffer): void => {
      queue.push(chunk);
      process.stdin.pause();
      wake();
    };
    const onEnd = (): void => {
      state.isEnded = true;
      wake();
    };
    process.stdin.on('data', onData).on('end', onEnd).on('error', onEnd);
    signal.addEventListener('abort', onEnd);
    try {
      while (!signal.aborted) {
        const chunk = queue.shift();
        if (chunk !== undefined) {
          yield chunk;
        } else if (state.isEnded) {
          return;
        } else {
          const more = new Promise<void>(resolve => { wake = resolve; });
          process.stdin.resume();
          await more;
        }
      }
    } finally {
      process.stdin.off('data', onData).off('end', onEnd).off('error', onEnd).pause();
      signal.removeEventListener('abort', onEnd);
    }
  }
}

/** Raw as Node has it still puts a carriage return before each newline, of which the task's terminal wrote one. Source: libuv, uv_tty_set_mode; stty(1) */
async function leaveOutputAlone(): Promise<void> {
  const stty = startProcess('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] });
  await new Promise<void>(resolve => { stty.once('error', () => { resolve(); }).once('close', () => { resolve(); }); });
}

async function writeTo(stream: NodeJS.WriteStream, bytes: string | Uint8Array): Promise<void> {
  if (bytes.length > 0 && !stream.write(bytes)) {
    await once(stream, 'drain');
  }
}

/** What can be done about a full disk or a closed terminal is only to say so. Source: write(2), ENOSPC, EIO */
function endOnWriteError(error: NodeJS.ErrnoException, stream: string): void {
  if (error.code === 'EPIPE') {
    process.exit(0);
  }
  try {
    writeSync(STDERR, `error: cannot write to ${stream}: ${error.code === 'ENOSPC' ? 'no space left on the device' : error.code ?? error.message}\n`);
  } catch {
    // Standard error is what cannot be written to.
  }
  process.exit(1);
}
