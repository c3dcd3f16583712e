/**
 * Characters a terminal or a log could act on: C0 and C1 controls, DEL, line and paragraph separators, bidirectional
 * marks, embeddings and isolates, the byte order mark, and lone surrogates.
 * Source: Unicode 16 Bidi_Control property; ECMA-48 section 5.2 (C1).
 */
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\p{Surrogate}/gu;

/** `text` on one line, with every character that a terminal could act on written as `\u202e`. */
export function printable(text: string): string {
  return text.replace(UNSAFE, character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Longest part of an input that a message repeats. */
const MAX_ECHO = 100;

/** `'text'`, printable, cut to 100 characters: how messages repeat an input. */
export function quoted(text: string): string {
  const shown = text.length > MAX_ECHO ? `${text.slice(0, MAX_ECHO)}...` : text;
  return `'${printable(shown)}'`;
}
