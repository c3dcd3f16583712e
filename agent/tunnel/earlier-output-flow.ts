import type { LogRecord } from '../logs/log-line.ts';
import type { ProcessStreams } from '../runtime/ports.ts';
import { runsOfOneStream } from './logs-flow.ts';

/**
 * Replaces the output of an attachment by the log of the container: nothing is missing that was
 * written before the client came or while it was slow.
 * @param read  the log from its start, followed until the container exits or the signal aborts
 */
export function withEarlierOutput(streams: ProcessStreams, read: (stop: AbortSignal) => AsyncIterable<readonly LogRecord[]>): ProcessStreams {
  const stop = new AbortController();
  drain(streams.output).catch(() => { /* the log tells what there is */ });
  return {
    output: chunksOf(read(stop.signal)),
    ended: streams.ended,
    write: async bytes => { await streams.write(bytes); },
    closeInput: async () => { await streams.closeInput(); },
    resize: async size => { await streams.resize(size); },
    signal: async name => { await streams.signal(name); },
    close: () => {
      stop.abort();
      streams.close();
    },
  };
}

async function* chunksOf(batches: AsyncIterable<readonly LogRecord[]>): ProcessStreams['output'] extends AsyncIterable<infer Chunk> ? AsyncGenerator<Chunk> : never {
  for await (const records of batches) {
    for (const run of runsOfOneStream(records)) {
      yield { stream: run[0]?.stream ?? 'stdout', bytes: Buffer.concat(run.map(({ bytes }) => bytes)) };
    }
  }
}

async function drain(output: ProcessStreams['output']): Promise<void> {
  const chunks = output[Symbol.asyncIterator]();
  while ((await chunks.next()).done !== true) {
    // Read and discarded, so that the monitor can continue.
  }
}
