/** Loaded into a program before it starts: memory that it holds and does not need, so that the cost of its size shows. */
import { isMainThread } from 'node:worker_threads';

const BYTES_PER_MIB = 2 ** 20;
if (isMainThread && process.argv[1]?.endsWith('agent.mjs') === true) {
  const mebibytes = Number(process.env['GANTRY_BENCH_BALLAST_MIB'] ?? 0);
  // Touched, so that each page is there, and in reach for as long as the process is.
  Object.defineProperty(globalThis, 'gantryBallast', { value: Buffer.alloc(mebibytes * BYTES_PER_MIB, 1) });
}
