/** Exits 1 when proto/gen is not what `npm run gen` makes of proto/gantry. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../..');
const scratch = mkdtempSync(path.join(tmpdir(), 'gantry-gen-'));
try {
  cpSync(path.join(root, 'proto'), path.join(scratch, 'proto'), { recursive: true, filter: source => !source.includes('/proto/gen') });
  symlinkSync(path.join(root, 'node_modules'), path.join(scratch, 'node_modules'));
  const bin = path.join(root, 'node_modules/.bin');
  execFileSync(path.join(bin, 'buf'), ['generate'], { cwd: path.join(scratch, 'proto'), env: { ...process.env, PATH: `${bin}:${process.env['PATH'] ?? ''}` }, stdio: 'inherit' });
  const files = (at: string): string[] => readdirSync(at, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts')).sort();
  const fresh = path.join(scratch, 'proto/gen');
  const committed = path.join(root, 'proto/gen');
  const stale = files(fresh).filter(name => !files(committed).includes(name) || readFileSync(path.join(fresh, name), 'utf8') !== readFileSync(path.join(committed, name), 'utf8'));
  const gone = files(committed).filter(name => !files(fresh).includes(name));
  if (stale.length + gone.length > 0) {
    console.error(`proto/gen is not what proto/gantry makes; run npm run gen: ${[...stale, ...gone].join(', ')}`);
    process.exitCode = 1;
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
