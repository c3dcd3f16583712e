/**
 * Bundles the three programs and the agent's workers into dist/, one file each, when a source is newer than the bundle.
 *
 * etcd3 reads .proto files beside itself and koffi is native: both stay in node_modules.
 */
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';

const root = path.resolve(import.meta.dirname, '../..');
process.chdir(root);
const areas = ['proto', 'controller', 'agent', 'cli'];
const sources = areas.flatMap(area => readdirSync(area, { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.ts')).map(name => path.join(area, name)));

const entries = { clusterctl: 'cli/main.ts', controller: 'controller/main.ts', agent: 'agent/main.ts' };
for (const file of sources.filter(name => name.endsWith('-worker.ts'))) {
  entries[path.basename(file, '.ts')] = file;
}

const newest = Math.max(...sources.map(file => statSync(file).mtimeMs), statSync('package-lock.json').mtimeMs);
const oldest = Math.min(...Object.keys(entries).map(name => statSync(`dist/${name}.mjs`, { throwIfNoEntry: false })?.mtimeMs ?? 0));
if (newest > oldest) {
  await build({
    entryPoints: entries,
    outdir: 'dist',
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    sourcemap: 'linked',
    external: ['etcd3', 'koffi'],
    banner: { js: "import { createRequire as gantryRequire } from 'node:module'; const require = gantryRequire(import.meta.url);" },
    logLevel: 'warning',
  });
}
