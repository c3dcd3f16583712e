import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const LINE = 96;

/** Bytes kept as hex in test/golden. `make` is called only for a file that does not exist while UPDATE_GOLDEN=1. @throws Error for a missing file otherwise */
export function golden(name: string, make: () => Uint8Array): Uint8Array {
  const file = path.join(import.meta.dirname, '../golden', name);
  if (!existsSync(file) && process.env['UPDATE_GOLDEN'] === '1') {
    mkdirSync(path.dirname(file), { recursive: true });
    const hex = Buffer.from(make()).toString('hex');
    writeFileSync(file, hex.match(new RegExp(`.{1,${String(LINE)}}`, 'g'))?.join('\n').concat('\n') ?? '\n');
  }
  return new Uint8Array(Buffer.from(readFileSync(file, 'utf8').replaceAll('\n', ''), 'hex'));
}
