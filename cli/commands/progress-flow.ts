/** Lines on stderr that are drawn over while a person looks on, and said once each where nobody does. */
import { printable } from '#model/printable.ts';
import type { Shell } from '../ports.ts';

export class ProgressLines {
  readonly #shell: Shell;
  #drawn: readonly string[] = [];

  constructor(shell: Shell) {
    this.#shell = shell;
  }

  async draw(lines: readonly string[]): Promise<void> {
    const { terminal, options } = this.#shell;
    if (options.isQuiet || lines.join('\n') === this.#drawn.join('\n')) {
      return;
    }
    const fresh = lines.map(line => this.#fit(printable(line)));
    if (terminal.isErrorTerminal) {
      const up = this.#drawn.length === 0 ? '' : `\x1b[${String(this.#drawn.length)}A`;
      await terminal.writeError(`${up}${fresh.map(line => `\x1b[2K${line}\n`).join('')}\x1b[J`);
    } else {
      await terminal.writeError(fresh.filter((_, index) => lines[index] !== this.#drawn[index]).map(line => `${line}\n`).join(''));
    }
    this.#drawn = lines;
  }

  /** On a terminal, takes the lines away again: what follows is somebody else's. */
  async wipe(): Promise<void> {
    if (this.#shell.terminal.isErrorTerminal && this.#drawn.length > 0) {
      await this.#shell.terminal.writeError(`\x1b[${String(this.#drawn.length)}A\x1b[J`);
    }
    this.#drawn = [];
  }

  #fit(line: string): string {
    const columns = this.#shell.terminal.isErrorTerminal ? this.#shell.terminal.size()?.columns : undefined;
    return columns === undefined || line.length < columns ? line : line.slice(0, Math.max(1, columns - 1));
  }
}
