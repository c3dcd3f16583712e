/** What a process prints, as one sequence, read no faster than its consumer takes it. */
import type { Readable } from 'node:stream';

export interface OutputChunk {
  readonly stream: 'stdout' | 'stderr';
  readonly bytes: Uint8Array;
}

/** After the process ended, somebody else that holds its output open is waited for this long without a byte. */
const LEFTOVER_TIMEOUT_MS = 250;

interface Arrival {
  readonly stream: OutputChunk['stream'];
  readonly iterator: AsyncIterator<Buffer>;
  readonly result: IteratorResult<Buffer>;
}

/** Chunks of all `sources` in order of arrival, until each ended, or until `exited` resolved and no byte came for a quarter of a second. At most one chunk a source is held. */
export async function* readOutputs(sources: Readonly<Partial<Record<OutputChunk['stream'], Readable>>>, exited: Promise<unknown>): AsyncGenerator<OutputChunk> {
  const arrivals = new Arrivals(exited);
  const ask = (stream: OutputChunk['stream'], iterator: AsyncIterator<Buffer>): void => {
    void iterator.next().catch(() => ({ done: true as const, value: undefined })).then(result => { arrivals.push({ stream, iterator, result }); });
  };
  const streams = Object.entries(sources);
  for (const [stream, readable] of streams) {
    ask(stream as OutputChunk['stream'], (readable as AsyncIterable<Buffer>)[Symbol.asyncIterator]());
  }
  for (let open = streams.length; open > 0;) {
    const arrival = await arrivals.next();
    if (arrival === undefined) {
      return;
    }
    const { stream, iterator, result } = arrival;
    if (result.done === true) {
      open -= 1;
    } else {
      yield { stream, bytes: result.value };
      ask(stream, iterator);
    }
  }
}

/** What was read and not taken yet. A race against `exited` would do the same, but hold every chunk until the process ends. */
class Arrivals {
  readonly #untaken: Arrival[] = [];
  #hasExited = false;
  #wake: () => void = () => undefined;

  constructor(exited: Promise<unknown>) {
    void exited.then(() => {
      this.#hasExited = true;
      this.#wake();
    });
  }

  push(arrival: Arrival): void {
    this.#untaken.push(arrival);
    this.#wake();
  }

  /** Undefined once the process ended and nothing came for a while. */
  async next(): Promise<Arrival | undefined> {
    while (this.#untaken.length === 0) {
      if (await this.#isSilent()) break;
    }
    return this.#untaken.shift();
  }

  /** Timers come before reads in a turn of the event loop: after a stall, what waits in a pipe is read before silence is believed. */
  async #isSilent(): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<boolean>(resolve => {
        this.#wake = () => { resolve(false); };
        if (this.#hasExited) timer = setTimeout(() => { setImmediate(() => { setImmediate(() => { resolve(true); }); }); }, LEFTOVER_TIMEOUT_MS);
      });
    } finally {
      clearTimeout(timer);
    }
  }
}
