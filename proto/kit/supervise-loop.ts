import { innerSignal } from './inner-signal.ts';

/** Anything long-lived: runs until `signal` aborts, throws when it cannot go on. */
export interface Loop {
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Runs loops together until `signal` aborts. The first that ends or throws aborts the others; its error is thrown.
 *
 * @throws the first loop's error; Error when a loop ended by itself
 */
export async function superviseLoops(loops: Readonly<Record<string, Loop>>, signal: AbortSignal): Promise<void> {
  using inner = innerSignal(signal);
  const all = inner.signal;
  const failures: unknown[] = [];
  await Promise.all(Object.entries(loops).map(async ([name, loop]) => {
    try {
      await loop.run(all);
      if (!all.aborted) {
        throw new Error(`loop ${name} ended by itself`);
      }
    } catch (error) {
      if (!all.aborted) {
        failures.push(error);
        inner.abort(error);
      }
    }
  }));
  if (failures.length > 0) {
    throw failures[0];
  }
}
