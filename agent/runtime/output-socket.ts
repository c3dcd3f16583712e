/** What a process prints, as one sequence, read no faster than its consumer takes it. */
import type { Readable } from 'node:stream';

export interface OutputChunk {
  readonly stream: 'stdout' | 'stderr';
  readonly bytes: Uint8Array;
}

/** After the process ended, somebody else that holds its output open is waited for this long without a byte. */
const LEFTOVER_TIMEOUT_MS = 250;

interface Pending {
  readonly stream: OutputChunk['stream'];
  readonly iterator: AsyncIterator<Buffer>;
  readonly next: Promise<IteratorResult<Buffer>>;
}

/** Chunks of all `sources` in order of arrival, until each ended, or until `exited` resolved and no byte came for a quarter of a second. */
export async function* readOutputs(sources: Readonly<Partial<Record<OutputChunk['stream'], Readable>>>, exited: Promise<unknown>): AsyncGenerator<OutputChunk> {
  const pending = new Set<Pending>();
  const ask = (stream: OutputChunk['stream'], iterator: AsyncIterator<Buffer>): void => {
    pending.add({ stream, iterator, next: iterator.next().catch(() => ({ done: true, value: undefined })) });
  };
  for (const [stream, readable] of Object.entries(sources)) {
    ask(stream as OutputChunk['stream'], (readable as AsyncIterable<Buffer>)[Symbol.asyncIterator]());
  }
  while (pending.size > 0) {
    const arrival = await firstOf(pending, exited);
    if (arrival === undefined) {
      return;
    }
    pending.delete(arrival.from);
    if (arrival.result.done !== true) {
      yield { stream: arrival.from.stream, bytes: arrival.result.value };
      ask(arrival.from.stream, arrival.from.iterator);
    }
  }
}

async function firstOf(pending: ReadonlySet<Pending>, exited: Promise<unknown>): Promise<{ readonly from: Pending; readonly result: IteratorResult<Buffer> } | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<undefined>(resolve => {
    // Timers come before reads in a turn of the event loop: after a stall, what waits in a pipe is read before silence is believed.
    void exited.then(() => { timer = setTimeout(() => { setImmediate(() => { setImmediate(() => { resolve(undefined); }); }); }, LEFTOVER_TIMEOUT_MS); });
  });
  try {
    return await Promise.race([silence, ...[...pending].map(async from => ({ from, result: await from.next }))]);
  } finally {
    clearTimeout(timer);
  }
}
