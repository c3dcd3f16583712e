/**
 * Writes control characters of a byte stream so that a terminal shows them instead of obeying them: C0 and DEL in caret
 * notation (`^[`), C1 as `\u009b`. Tab, newline and carriage return before a newline stay.
 *
 * Source: ECMA-48, 5.2 (C0) and 5.3 (C1); stty(1), echoctl, for the notation.
 */
export class ControlEscaper {
  /** A byte whose meaning depends on the next one: a carriage return, or the first byte of U+0080 to U+00BF. */
  #held: number | undefined;

  take(bytes: Uint8Array): Uint8Array {
    const held = this.#held === undefined ? bytes : Buffer.concat([Uint8Array.of(this.#held), bytes]);
    const last = held.at(-1);
    const isOpen = last === CARRIAGE_RETURN || last === LATIN_LEAD;
    this.#held = isOpen ? last : undefined;
    return escaped(isOpen ? held.subarray(0, -1) : held);
  }

  /** What was held back. */
  end(): Uint8Array {
    const held = this.#held;
    this.#held = undefined;
    return held === undefined ? new Uint8Array() : escaped(Uint8Array.of(held));
  }
}

const TAB = 0x09;
const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const DELETE = 0x7f;
/** First byte of U+0080 to U+00BF in UTF-8. Source: RFC 3629, section 3 */
const LATIN_LEAD = 0xc2;

function escaped(bytes: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [];
  let start = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const { text, length } = notation(bytes, at);
    if (text !== '') {
      parts.push(bytes.subarray(start, at), Buffer.from(text));
      start = at + length;
      at = start - 1;
    }
  }
  return parts.length === 0 ? bytes : Buffer.concat([...parts, bytes.subarray(start)]);
}

/** Empty for what a terminal only shows. */
function notation(bytes: Uint8Array, at: number): { readonly text: string; readonly length: number } {
  const byte = bytes[at] ?? 0;
  const next = bytes[at + 1] ?? 0;
  if (byte === LATIN_LEAD && next >= 0x80 && next <= 0x9f) {
    return { text: `\\u00${next.toString(16)}`, length: 2 };
  }
  const isControl = byte < SPACE || byte === DELETE;
  const isLayout = byte === TAB || byte === NEWLINE || (byte === CARRIAGE_RETURN && next === NEWLINE);
  return { text: isControl && !isLayout ? `^${String.fromCharCode(byte ^ 0x40)}` : '', length: 1 };
}
