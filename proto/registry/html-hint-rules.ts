const LOOKED_AT_BYTES = 100;

/** Describes the typical answer of a server that is not a registry; empty for another text. */
export function htmlHint(bytes: Uint8Array): string {
  const start = Buffer.from(bytes.subarray(0, LOOKED_AT_BYTES)).toString('latin1').trimStart().toLowerCase();
  return start.startsWith('<!doctype html') || start.startsWith('<html')
    ? ': the server answered with an HTML page; check that the address is that of a registry' : '';
}
