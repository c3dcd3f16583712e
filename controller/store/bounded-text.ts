/** Texts that others wrote, as they may be stored: one record stays far below what a transaction takes. */

/** Of a message for a person. */
export const MAX_MESSAGE_BYTES = 2_048;
/** Of a word for programs: a reason, an address. */
export const MAX_WORD_BYTES = 128;

/** The text, cut after whole characters so that it has at most `maxBytes` in UTF-8, with an ellipsis where it was cut. */
export function boundedText(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) {
    return text;
  }
  const ellipsis = '...';
  return `${bytes.subarray(0, maxBytes - ellipsis.length).toString().replace(/\uFFFD+$/, '')}${ellipsis}`;
}
