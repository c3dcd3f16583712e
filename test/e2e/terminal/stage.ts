/** Where a scenario plays: it speaks docker's words to one dialect, and what comes back is written down. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { PtyProcess, runPiped } from '../../support/pty-process.ts';
import type { TerminalShape } from '../../support/pty-process.ts';
import type { Dialect } from './dialect.ts';

export interface RunExtras {
  readonly input?: Uint8Array;
  /** The words on stderr or stdout are the program's own about a failure: only that there are some is written down. */
  readonly isRefusal?: boolean;
}

/** A terminal in use; `end` writes down all that it showed and the exit code. */
export interface Screen {
  expect(text: string): Promise<void>;
  /** False when `text` is not shown within `limitMs`. */
  shows(text: string, limitMs: number): Promise<boolean>;
  type(text: string): void;
  resize(shape: TerminalShape): void;
  end(): Promise<void>;
}

/** An output longer than this is written down as its length and digest. */
const LONG_BYTES = 4096;
const DEFAULT_SHAPE: TerminalShape = { columns: 80, rows: 24 };
const STATE_LIMIT_MS = 90_000;

export class Stage {
  readonly image: string;
  /** A directory of this machine that is empty at first. */
  readonly scratch: string;
  readonly #dialect: Dialect;
  readonly #registry: string;
  readonly #lines: string[] = [];
  readonly #made = new Set<string>();

  constructor(dialect: Dialect, scratch: string) {
    this.#dialect = dialect;
    this.image = dialect.image;
    this.#registry = dialect.image.split('/')[0] ?? '';
    this.scratch = scratch;
  }

  get transcript(): string {
    return `${this.#lines.join('\n')}\n`;
  }

  /** Runs a command with pipes, to its end. */
  async run(words: readonly string[], extras: RunExtras = {}): Promise<void> {
    this.#begin(words);
    const { code, stdout, stderr } = await runPiped([...this.#dialect.program, ...this.#dialect.words(words)], extras.input, { ...this.#dialect.options, workingDir: this.scratch });
    if (extras.isRefusal === true) {
      this.#lines.push(stdout.length + stderr.length === 0 ? '(nothing is said)' : '(why)');
    } else {
      this.#show('1', stdout);
      this.#show('2', stderr);
    }
    this.#lines.push(`exit ${String(code)}`, '');
  }

  /** Runs a command at a terminal. */
  open(words: readonly string[], shape: TerminalShape = DEFAULT_SHAPE): Screen {
    const program = new PtyProcess([...this.#dialect.program, ...this.#dialect.words(words)], shape, { ...this.#dialect.options, workingDir: this.scratch });
    return {
      expect: async text => { await program.expect(text); },
      shows: async (text, limitMs) => await program.shows(text, limitMs),
      type: text => { program.type(text); },
      resize: next => { program.resize(next); },
      end: async () => {
        const code = await program.end();
        this.#begin(words);
        this.#show('t', Buffer.from(program.output));
        this.#lines.push(`exit ${String(code)}`, '');
      },
    };
  }

  /** Starts a container that stays, and is removed at the end. */
  async start(name: string, words: readonly string[]): Promise<void> {
    this.#made.add(name);
    const full = ['run', '-d', '--name', name, ...words];
    this.#begin(full);
    const { code, stdout, stderr } = await runPiped([...this.#dialect.program, ...full], undefined, this.#dialect.options);
    this.#show('1', Buffer.from(stdout.toString().replace(new RegExp(`^(?:[0-9a-f]{64}|${name})$`, 'm'), 'ID')));
    this.#show('2', stderr);
    this.#lines.push(`exit ${String(code)}`, '');
  }

  /** A container that was made with `--name` is removed at the end. */
  keepInMind(name: string): void {
    this.#made.add(name);
  }

  /** Waits until a container has this state, and writes it down. */
  async state(container: string, wanted: string): Promise<void> {
    const deadline = performance.now() + STATE_LIMIT_MS;
    let state = await this.#dialect.state(container);
    while (state !== wanted && performance.now() < deadline) {
      await sleep(50);
      state = await this.#dialect.state(container);
    }
    this.#lines.push(`${container} is ${state}`, '');
  }

  /** Waits until a command's output has this text; nothing is written down. */
  async until(words: readonly string[], text: string): Promise<void> {
    const deadline = performance.now() + STATE_LIMIT_MS;
    for (;;) {
      const { stdout } = await runPiped([...this.#dialect.program, ...words], undefined, this.#dialect.options);
      if (stdout.includes(text)) {
        return;
      }
      if (performance.now() > deadline) {
        throw new Error(`${words.join(' ')} never said ${text}`);
      }
      await sleep(50);
    }
  }

  /** Writes down what was found. */
  show(lines: readonly string[]): void {
    this.#lines.push(...lines.map(visible), '');
  }

  async clear(): Promise<void> {
    for (const name of this.#made) {
      await runPiped([...this.#dialect.program, ...this.#dialect.remove(name)], undefined, this.#dialect.options);
    }
  }

  #begin(words: readonly string[]): void {
    this.#lines.push(`$ ${words.map(word => (/[\s'"$]/.test(word) ? `'${word}'` : word)).join(' ').replaceAll(this.#registry, 'REGISTRY')}`);
  }

  #show(stream: '1' | '2' | 't', bytes: Buffer): void {
    if (bytes.length > LONG_BYTES) {
      this.#lines.push(`${stream}| ${String(bytes.length)} bytes, sha256 ${createHash('sha256').update(bytes).digest('hex')}`);
      return;
    }
    const text = normalise(bytes.toString('utf8'));
    const lines = text.split('\n');
    const last = lines.pop() ?? '';
    this.#lines.push(...lines.map(line => `${stream}| ${visible(line)}`), ...(last === '' ? [] : [`${stream}| ${visible(last)}\\`]));
  }
}

/** Times of logs; how many ticks were seen; how often the shell draws its prompt again after a new size, which is chance with docker too. */
function normalise(text: string): string {
  return text.replace(/(?:tick\r\n)+/g, 'tick\r\n').replace(/(?:\r\/ # \x1b\[J)+/g, '').replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z/g, 'TIME');
}

/** Control characters as a person can read them; a line without its newline ends in a backslash. */
function visible(line: string): string {
  return line.replaceAll('\x1b', '\\e').replaceAll('\r', '\\r').replace(/[\x00-\x1f\x7f]/g, byte => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
