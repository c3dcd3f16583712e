import type { Clock } from '#kit/clock.ts';
import { readLog } from './log-fs.ts';
import type { LogQuery } from './log-fs.ts';
import type { LogRecord } from './log-line.ts';

/** Longer than a frozen reader holds the log writer. Where no log writer comes by then, the log ends with what is in it. */
const WRITTEN_LIMIT_MS = 20_000;
const POLL_MS = 5;

export interface LogSource {
  readonly path: string;
  /** Aborts when the container ended. */
  readonly ended: AbortSignal;
  /** The container that writes the log now. */
  readonly writerOf: (path: string) => string | undefined;
  /** Whether output of a container may be missing in its log. */
  readonly isOpen: (writer: string) => boolean;
  readonly clock: Clock;
}

/** As `readLog`; the log of a container that ended is read to its last line, which the log writer may still have to write. */
export async function* readWholeLog(source: LogSource, query: LogQuery, signal: AbortSignal): AsyncGenerator<readonly LogRecord[]> {
  const { path, ended, clock } = source;
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const written = new AbortController();
  const onEnded = async (): Promise<void> => {
    await lastLineWritten(source, either).catch(() => { /* nobody reads any more */ });
    written.abort();
  };
  const waiting = (): void => { void onEnded(); };
  ended.addEventListener('abort', waiting, { once: true });
  try {
    if (ended.aborted) await onEnded();
    yield* readLog(path, query, { clock, ended: written.signal }, signal);
  } finally {
    ended.removeEventListener('abort', waiting);
    over.abort(new Error('the log was read'));
  }
}

async function lastLineWritten({ path, writerOf, isOpen, clock }: LogSource, signal: AbortSignal): Promise<void> {
  const writer = writerOf(path);
  const deadlineMs = clock.monotonicMs() + WRITTEN_LIMIT_MS;
  while (writer !== undefined && isOpen(writer) && clock.monotonicMs() < deadlineMs) {
    await clock.sleep(POLL_MS, signal);
  }
}
