/** A process beside the one under test, with what it prints. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { TOOL_PATH } from '#kit/command-process.ts';
import { eventually } from './dev-cluster.ts';

export class SideProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #text = '';

  constructor(program: string, ...args: readonly string[]) {
    this.#child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: TOOL_PATH, LC_ALL: 'C' } });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => { this.#text += text; });
    this.#ended = new Promise((resolve, reject) => { this.#child.once('error', reject).once('close', () => { resolve(); }); });
    this.#ended.catch(() => { /* told to whoever waits */ });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Waits until it printed the line. */
  async said(line: string): Promise<void> {
    await eventually(`it says ${line}`, 60_000, () => this.#text.split('\n').includes(line));
  }

  /** All lines, once it ended by itself. */
  async lines(): Promise<readonly string[]> {
    await eventually('it ends by itself', 60_000, () => this.#child.exitCode !== null);
    await this.#ended;
    return this.#text.trimEnd().split('\n');
  }

  async end(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL');
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}
