/**
 * Named places where a test makes the program fail. Inert unless the environment variable FAILPOINTS is set, e.g.
 * `apply.before-commit=2*off->1*panic;session.ack=delay(50)`.
 *
 * A term is `[COUNT*]ACTION`; terms follow each other with `->`; the last one without a count goes on for ever.
 * Actions: `off`, `error` (throws), `delay(MS)` (waits; `failpoint` is async for it), `block(MS)` (blocks the event loop),
 * `panic` (SIGKILL to ourselves: nothing is cleaned up).
 */
import { setTimeout as sleep } from 'node:timers/promises';

interface Term {
  remaining: number;
  readonly action: string;
  readonly durationMs: number;
}

const TERM = /^(?:(\d+)\*)?(off|error|panic|delay|block)(?:\((\d+)\))?$/;
let armed: ReadonlyMap<string, Term[]> = parseFailpoints(process.env['FAILPOINTS'] ?? '');

/** Does what FAILPOINTS says about `name`; nothing when it says nothing. @throws Error for the action `error` */
export async function failpoint(name: string): Promise<void> {
  if (armed.size === 0) {
    return;
  }
  const term = armed.get(name)?.find(candidate => candidate.remaining > 0);
  if (term === undefined) {
    return;
  }
  term.remaining -= 1;
  if (term.action === 'delay') {
    await sleep(term.durationMs);
  } else if (term.action === 'block') {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, term.durationMs);
  } else if (term.action === 'panic') {
    process.kill(process.pid, 'SIGKILL');
  } else if (term.action === 'error') {
    throw new Error(`failpoint ${name}`);
  }
}

/** Arms failpoints from inside a test; an empty text disarms all. @throws RangeError for a text that is not in the grammar above */
export function armFailpoints(text: string): void {
  armed = parseFailpoints(text);
}

function parseFailpoints(text: string): Map<string, Term[]> {
  const byName = new Map<string, Term[]>();
  for (const entry of text.split(';').filter(part => part !== '')) {
    const [name = '', terms = ''] = entry.split('=');
    byName.set(name.trim(), terms.split('->').map(parseTerm));
  }
  return byName;
}

function parseTerm(text: string): Term {
  const [, count, action, duration] = TERM.exec(text.trim()) ?? [];
  if (action === undefined) {
    throw new RangeError(`failpoint term ${JSON.stringify(text)} is not COUNT*off|error|panic|delay(MS)|block(MS)`);
  }
  return { remaining: count === undefined ? Number.POSITIVE_INFINITY : Number(count), action, durationMs: Number(duration ?? 0) };
}
