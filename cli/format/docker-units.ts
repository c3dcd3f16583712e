/** Sizes as docker writes them. Source: github.com/docker/go-units, size.go */

const DECIMAL = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'];
const BINARY = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

/** `1.45kB`: powers of 1000, three digits. */
export function decimalSize(bytes: number): string {
  return sized(bytes, { base: 1000, units: DECIMAL, digits: 3 });
}

/** `7.914MiB`: powers of 1024, four digits. */
export function binarySize(bytes: number): string {
  return sized(bytes, { base: 1024, units: BINARY, digits: 4 });
}

function sized(bytes: number, { base, units, digits }: { readonly base: number; readonly units: readonly string[]; readonly digits: number }): string {
  let size = bytes;
  let unit = 0;
  while (size >= base && unit < units.length - 1) {
    size /= base;
    unit += 1;
  }
  // `%.4g` of C: significant digits, no zeros at the end, and no more of an integer than it has.
  return `${String(Number(size.toPrecision(digits)))}${units[unit] ?? ''}`;
}
