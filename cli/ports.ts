/** What a command may touch: the cluster, the terminal, the clock. Flows know these and nothing else. */
import type { Clock } from '#kit/clock.ts';
import type { ControlClient } from '#model/ports.ts';
import type { TerminalSize } from '#model/tunnel.ts';
import type { GlobalOptions } from './options.ts';

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'blue' | 'magenta' | 'cyan';

/** 1. Writes resolve when the stream took them. 2. Styles are nothing where colours are not wanted. 3. Disposing raw mode restores the terminal, also twice. */
export interface Terminal {
  readonly isOutputTerminal: boolean;
  readonly isErrorTerminal: boolean;
  readonly isInputTerminal: boolean;
  write(bytes: string | Uint8Array): Promise<void>;
  writeError(bytes: string | Uint8Array): Promise<void>;
  style(style: Style, text: string): string;
  size(): TerminalSize | undefined;
  onResize(listener: () => void): Disposable;
  rawMode(): Promise<Disposable>;
  /** SIGINT and its like go to the listener instead of ending the command. */
  onSignal(listener: (signal: string) => void): Disposable;
  input(signal: AbortSignal): AsyncIterable<Uint8Array>;
}

export interface Files {
  read(path: string): Promise<Uint8Array>;
  readInput(): Promise<Uint8Array>;
}

export interface Shell {
  readonly options: GlobalOptions;
  readonly terminal: Terminal;
  readonly files: Files;
  readonly clock: Clock;
  readonly environment: ReadonlyMap<string, string>;
  readonly signal: AbortSignal;
  /** Connects on the first call. */
  connect(): Promise<ControlClient>;
  newRequestId(): string;
}
