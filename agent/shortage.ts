/** When the node has no more of what tasks and the agent need: what that is, and how it is told. */
import { isClusterError } from '#model/errors.ts';

/** The status's word. */
export const NODE_PRESSURE = 'NodePressure';

const NO_PROCESS = 'the machine has no more processes';
/** Source: errno(3), open(2); Node.js errors, ERR_WORKER_INIT_FAILED: no thread could be made. */
const WORDS: ReadonlyMap<unknown, string> = new Map([
  ['EMFILE', 'the agent has no more open files'], ['ENFILE', 'the machine has no more open files'], ['ENOMEM', 'the machine has no more memory'],
  ['ERR_WORKER_INIT_FAILED', NO_PROCESS],
]);
/** Calls whose EAGAIN means that no process can be made. Source: fork(2), posix_spawn(3) */
const MAKES_PROCESS = /\b(?:posix_spawn|spawn|fork)\b/;

/**
 * What is short, in words, when that is the cause of the error, of its cause or of one of its parts; undefined for any other. Nobody did
 * anything wrong, and the same step may work later.
 */
export function shortageText(error: unknown): string | undefined {
  if (!(error instanceof Error)) {
    return undefined;
  }
  // Addresses of its subnet, units of a named device: its own words.
  if (isClusterError(error, 'RESOURCE_EXHAUSTED')) {
    return error.message;
  }
  const code = 'code' in error ? error.code : undefined;
  const word = code === 'EAGAIN' && MAKES_PROCESS.test(error.message) ? NO_PROCESS : WORDS.get(code);
  const within: readonly unknown[] = error instanceof AggregateError ? error.errors : [error.cause];
  return word === undefined ? within.map(shortageText).find(text => text !== undefined) : `${word}: ${error.message}`;
}

/** What `look` finds; `otherwise` when the agent is too short of something to look, which says nothing of what it looks at. */
export function unlessShort<Found>(look: () => Found, otherwise: Found): Found {
  try {
    return look();
  } catch (error) {
    if (shortageText(error) === undefined) throw error;
    return otherwise;
  }
}
