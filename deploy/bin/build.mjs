/**
 * Bundles the three programs and the agent's workers into dist/ when a source is newer than the bundle.
 *
 * Each is one file, except clusterctl: its verbs are chunks (`clusterctl-*.mjs`), and a call loads those it needs.
 * etcd3 reads .proto files beside itself and koffi is native: both stay in node_modules.
 */
import { readdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';

const root = path.resolve(import.meta.dirname, '../..');
process.chdir(root);
const areas = ['proto', 'controller', 'agent', 'cli'];
const sources = areas.flatMap(area => readdirSync(area, { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.ts')).map(name => path.join(area, name)));

const entries = { controller: 'controller/main.ts', agent: 'agent/main.ts' };
const split = { clusterctl: 'cli/main.ts' };
/** A running clusterctl may load a chunk of an earlier build later: that long they are kept. */
const KEEP_MS = 86_400_000;
for (const file of sources.filter(name => name.endsWith('-worker.ts'))) {
  entries[path.basename(file, '.ts')] = file;
}

const newest = Math.max(...sources.map(file => statSync(file).mtimeMs), statSync('package-lock.json').mtimeMs);
const bundles = Object.keys({ ...entries, ...split }).map(name => `dist/${name}.mjs`);
const oldest = Math.min(...bundles.map(file => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0));
if (newest > oldest) {
  const options = {
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
  };
  await build({ ...options, entryPoints: entries });
  const { metafile } = await build({ ...options, entryPoints: split, splitting: true, chunkNames: 'clusterctl-[hash]', metafile: true });
  removeOldChunks(new Set(Object.keys(metafile.outputs)));
}

function removeOldChunks(current) {
  for (const file of readdirSync('dist').filter(name => /^clusterctl-.*\.mjs(?:\.map)?$/.test(name)).map(name => `dist/${name}`)) {
    if (!current.has(file) && statSync(file).mtimeMs < Date.now() - KEEP_MS) {
      rmSync(file);
    }
  }
}
