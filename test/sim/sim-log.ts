/** What processes would log: nobody reads it, but it is counted (I17). */
import type { Logger } from '#kit/logger.ts';

/** Of one process, whatever goes wrong. Source: reliability.md, I17. */
const MAX_BYTES_A_MINUTE = 1_000_000;
const MINUTE_MS = 60_000;
/** Time, level and names around the fields. */
const FRAME_BYTES = 120;
/** An error with its stack and its cause. */
const ERROR_BYTES = 2_000;

export class CountedLog implements Logger {
  readonly #nowMs: () => number;
  readonly #onTooMuch: (bytes: number) => void;
  #minute = 0;
  #bytes = 0;

  constructor(nowMs: () => number, onTooMuch: (bytes: number) => void) {
    this.#nowMs = nowMs;
    this.#onTooMuch = onTooMuch;
  }

  /** Not written unless it is asked for. */
  debug(): void { /* it costs nothing */ }

  info(fields: object, message: string): void { this.#count(fields, message); }
  warn(fields: object, message: string): void { this.#count(fields, message); }
  error(fields: object, message: string): void { this.#count(fields, message); }

  child(): Logger {
    return this;
  }

  #count(fields: object, message: string): void {
    const minute = Math.floor(this.#nowMs() / MINUTE_MS);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#bytes = 0;
    }
    const { err, ...rest } = fields as { readonly err?: unknown };
    const before = this.#bytes;
    this.#bytes += FRAME_BYTES + message.length + JSON.stringify(rest).length + (err === undefined ? 0 : ERROR_BYTES);
    if (before <= MAX_BYTES_A_MINUTE && this.#bytes > MAX_BYTES_A_MINUTE) {
      this.#onTooMuch(this.#bytes);
    }
  }
}
