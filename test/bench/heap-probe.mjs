/**
 * Loaded into an agent or a controller before its own code: at SIGUSR2 it collects all garbage and writes how many
 * bytes of the heap are left, to the file that the environment names. JavaScript, so that Node.js does not load what
 * reads TypeScript, which has some megabytes of its own.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';

/** The bytecode of a function that is not called is let go after a few of them. Source: V8, flag --bytecode-old-age */
const COLLECTIONS = 12;

const file = process.env['GANTRY_BENCH_HEAP_FILE'];
if (file !== undefined && isMainThread && /(agent|controller)\.mjs$/.test(process.argv[1] ?? '')) {
  // Source: V8, flag --expose-gc: a context made after it has `gc`, which collects all generations.
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc');
  process.on('SIGUSR2', async () => {
    for (let turn = 0; turn < COLLECTIONS; turn += 1) {
      collect();
      // What finalizers let go goes with the next.
      await setImmediate();
    }
    writeFileSync(`${file}.new`, String(process.memoryUsage().heapUsed));
    renameSync(`${file}.new`, file);
  });
}
