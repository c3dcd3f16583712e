/** Files that start as a program or a thread of their own, beside the agent's. The bundler makes one file of each. */
export const WORKER_ENTRIES = {
  'extract-worker': 'agent/snapshot/extract-worker.ts',
  'pull-worker': 'agent/image/pull-worker.ts',
  'merge-worker': 'agent/snapshot/merge-worker.ts',
  'log-writer-worker': 'agent/logs/log-writer-worker.ts',
  'container-files-worker': 'agent/tunnel/container-files-worker.ts',
} as const;

/**
 * Where the entry `name` is, seen from the module `moduleUrl`: in the sources next to it or by its own folder, in a bundle beside the program.
 *
 * @param moduleUrl  `import.meta.url` of a module of this program
 */
export function workerEntryUrl(name: keyof typeof WORKER_ENTRIES, moduleUrl: string): URL {
  return moduleUrl.endsWith('.ts') ? new URL(`../../${WORKER_ENTRIES[name]}`, moduleUrl) : new URL(`./${name}.mjs`, moduleUrl);
}
