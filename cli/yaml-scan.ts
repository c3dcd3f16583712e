/** What is looked at on the tokens alone, before a recursive parser sees the text. */
import { Lexer } from 'yaml';

/** Manifest rule 6. */
export const MAX_DEPTH = 100;
export const MAX_ALIASES = 1_000;

export type ScanProblem = 'too-deep' | 'too-many-aliases';

/**
 * The first limit that a document of `text` breaks, or undefined.
 *
 * Depth is open brackets plus columns at which block entries begin: never less than half of the parser's own, which is enough
 * to keep its recursion small. Memory and time are linear.
 */
export function scanTokens(text: string): ScanProblem | undefined {
  const depth = new DepthMeter();
  let aliases = 0;
  for (const token of new Lexer().lex(text)) {
    if (isDocumentStart(token)) {
      aliases = 0;
    } else if (/^\*[^\s]/.test(token)) {
      aliases += 1;
    }
    depth.take(token);
    if (depth.value > MAX_DEPTH) {
      return 'too-deep';
    }
    if (aliases > MAX_ALIASES) {
      return 'too-many-aliases';
    }
  }
  return undefined;
}

/** Source: yaml 2.9, parse/cst.ts: control characters that its lexer puts into the stream. */
const DOCUMENT_START = '\u0002';
const SCALAR = '\u001f';
const MARKERS: ReadonlySet<string> = new Set([DOCUMENT_START, '\u0018', SCALAR, '\ufeff']);

function isDocumentStart(token: string): boolean {
  return token === DOCUMENT_START || token === '---';
}

class DepthMeter {
  /** The next token is a scalar's text. */
  #isInScalar = false;
  #brackets = 0;
  #column = 0;
  #columns: number[] = [];

  get value(): number {
    return this.#brackets + this.#columns.length;
  }

  take(token: string): void {
    if (!this.#isInScalar) {
      this.#count(token);
    }
    this.#isInScalar = token === SCALAR;
    this.#move(token);
  }

  #count(token: string): void {
    if (isDocumentStart(token)) {
      this.#columns = [];
      this.#brackets = 0;
    } else if (token === '[' || token === '{') {
      this.#brackets += 1;
    } else if (token === ']' || token === '}') {
      this.#brackets = Math.max(0, this.#brackets - 1);
    } else if (this.#brackets === 0 && (token === SCALAR || token === '-' || token === '?')) {
      this.#enter(this.#column);
    }
  }

  #enter(column: number): void {
    while ((this.#columns.at(-1) ?? -1) > column) {
      this.#columns.pop();
    }
    if (this.#columns.at(-1) !== column) {
      this.#columns.push(column);
    }
  }

  #move(token: string): void {
    if (MARKERS.has(token)) {
      return;
    }
    const newline = token.lastIndexOf('\n');
    this.#column = newline < 0 ? this.#column + token.length : token.length - newline - 1;
  }
}
