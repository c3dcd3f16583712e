/** Entry of clusterctl: as little as possible is loaded before it is known what is asked for. */
import { writeSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { compileCacheDir } from './compile-cache-fs.ts';
import { VERSION_LINE } from './version.ts';

const STDOUT = 1;

if (!printsVersion(process.argv.slice(2))) {
  const variables = Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const environment: ReadonlyMap<string, string> = new Map(variables);
  const cacheDir = compileCacheDir(environment, import.meta.filename);
  if (cacheDir !== undefined) {
    enableCompileCache(cacheDir);
  }
  const { runCommandLine } = await import('./command-line-process.ts');
  await runCommandLine(environment);
}

/** False also where standard output takes no bytes now: the usual way reports why. */
function printsVersion(words: readonly string[]): boolean {
  if (words.length !== 1 || (words[0] !== '--version' && words[0] !== '-V')) {
    return false;
  }
  try {
    writeSync(STDOUT, `${VERSION_LINE}\n`);
    return true;
  } catch {
    return false;
  }
}
