import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { TOOL_PATH, startProcess } from '#kit/command-process.ts';
import { ClusterError } from '#model/errors.ts';
import { DiskPressureError } from '../disk-pressure.ts';
import { frameHeader } from './extract-messages.ts';
import type { ExtractJob, ExtractReply } from './extract-messages.ts';
import type { LayerSummary } from './ports.ts';
import { workerEntryUrl } from './worker-entry.ts';

/** chown needs CHOWN, FOWNER and DAC_OVERRIDE, set-id bits FSETID, file capabilities SETFCAP, overlay's own attributes SYS_ADMIN. Source: capabilities(7). */
const CAPABILITIES = ['chown', 'dac_override', 'fowner', 'fsetid', 'setfcap', 'sys_admin', 'sys_chroot'];
const MAX_HEAP_MIB = 256;
/** Sent at once: a call a piece costs as much as the piece. */
const BATCH_BYTES = 128 * 1024;

export interface ExtractorPoolOptions {
  /** Root directory of the extractors; each layer gets a directory in it. */
  readonly stagingPath: string;
  readonly size: number;
  /** An extractor that had nothing to do for so long ends. */
  readonly idleMs: number;
}

/**
 * Extractors, started on demand, each busy with one layer at a time.
 *
 * A refused or broken-off layer costs its extractor; what it wrote stays in the staging directory for the caller to remove.
 */
export class ExtractorPool {
  readonly #options: ExtractorPoolOptions;
  readonly #idle: Extractor[] = [];
  readonly #waiting: (() => void)[] = [];
  #busy = 0;

  constructor(options: ExtractorPoolOptions) {
    this.#options = options;
  }

  /** Unpacks the layer whose compressed bytes are `source`. @throws ClusterError as the extractor refused it, UNAVAILABLE when it died; what `source` throws */
  async extract(job: ExtractJob, source: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<LayerSummary> {
    if (this.#busy >= this.#options.size) {
      await new Promise<void>(resolve => { this.#waiting.push(resolve); });
    } else {
      this.#busy += 1;
    }
    try {
      signal.throwIfAborted();
      const extractor = this.#idle.pop() ?? new Extractor(this.#options.stagingPath);
      const summary = await extractor.run(job, source, signal);
      this.#idle.push(extractor);
      extractor.retireAfter(this.#options.idleMs, () => { this.#idle.splice(this.#idle.indexOf(extractor), 1); });
      return summary;
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#busy -= 1;
      else next();
    }
  }

  /** Ends the idle extractors; busy ones end with their layer's signal. */
  close(): void {
    for (const extractor of this.#idle.splice(0)) extractor.kill();
  }
}

class Extractor {
  readonly #child: ReturnType<typeof startProcess>;
  readonly #input: Writable;
  readonly #replies: AsyncIterator<string>;
  readonly #ended: Promise<string>;
  #retiring: NodeJS.Timeout | undefined;

  constructor(stagingPath: string) {
    const bounding = `-all,${CAPABILITIES.map(name => `+${name}`).join(',')}`;
    this.#child = startProcess('setpriv', [
      `--bounding-set=${bounding}`, '--inh-caps=-all', '--no-new-privs', process.execPath, `--max-old-space-size=${String(MAX_HEAP_MIB)}`,
      fileURLToPath(workerEntryUrl('extract-worker', import.meta.url)), stagingPath,
    ], { stdio: ['pipe', 'pipe', 'inherit'], env: { PATH: TOOL_PATH, UV_USE_IO_URING: '0' } });
    this.#input = requirePipe(this.#child.stdin);
    // Its end is seen by `#ended`.
    this.#input.on('error', () => undefined);
    this.#replies = createInterface({ input: requirePipe<Readable>(this.#child.stdout) })[Symbol.asyncIterator]();
    this.#ended = new Promise(resolve => {
      this.#child.on('error', error => { resolve(error.message); });
      this.#child.on('exit', (code, signal) => { resolve(signal ?? `exit ${String(code)}`); });
    });
  }

  async run(job: ExtractJob, source: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<LayerSummary> {
    clearTimeout(this.#retiring);
    const feeding = new AbortController();
    const onAbort = (): void => { this.kill(); };
    signal.addEventListener('abort', onAbort);
    try {
      const reply = this.#nextReply().finally(() => { feeding.abort(); });
      const fed = this.#feed(job, source, feeding.signal);
      // An early answer leaves the feeding behind: it ends with the next piece, and its failure means nothing any more.
      const answer = await Promise.race([reply, fed.then(() => reply)]);
      signal.throwIfAborted();
      if (answer.kind === 'refused') {
        throw answer.isDiskFull === true ? await this.#giveSpaceBack(answer.message) : new ClusterError(answer.code, answer.message);
      }
      return answer.summary;
    } catch (error) {
      this.kill();
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Space comes back only once nobody holds the files open. */
  async #giveSpaceBack(message: string): Promise<Error> {
    this.kill();
    await this.#ended;
    return new DiskPressureError(message);
  }

  retireAfter(idleMs: number, onRetire: () => void): void {
    this.#retiring = setTimeout(() => {
      onRetire();
      this.kill();
    }, idleMs).unref();
  }

  kill(): void {
    clearTimeout(this.#retiring);
    this.#child.kill('SIGKILL');
  }

  /** Sends the job and its bytes until the extractor answered, which it may do early. */
  async #feed(job: ExtractJob, source: AsyncIterable<Uint8Array>, answered: AbortSignal): Promise<void> {
    const header = Buffer.from(JSON.stringify(job));
    await this.#write(Buffer.concat([frameHeader(header.length), header]), answered);
    for await (const batch of batches(source, BATCH_BYTES)) {
      if (answered.aborted) return;
      this.#input.cork();
      for (const piece of batch) {
        this.#input.write(frameHeader(piece.length));
        this.#input.write(piece);
      }
      this.#input.uncork();
      await this.#drained(answered);
    }
    await this.#write(frameHeader(0), answered);
  }

  async #write(bytes: Uint8Array, answered: AbortSignal): Promise<void> {
    if (answered.aborted) return;
    this.#input.write(bytes);
    await this.#drained(answered);
  }

  async #drained(answered: AbortSignal): Promise<void> {
    if (!this.#input.writableNeedDrain) return;
    // A broken pipe or an early answer ends the wait: the answer, or the child's end, tells what happened.
    await once(this.#input, 'drain', { signal: answered }).catch(() => undefined);
  }

  async #nextReply(): Promise<ExtractReply> {
    const line = await this.#replies.next();
    if (line.done === true) {
      throw new ClusterError('UNAVAILABLE', `the extractor ended while unpacking (${await this.#ended})`);
    }
    return JSON.parse(line.value) as ExtractReply;
  }
}

/** The pieces of `source`, none of them empty, as many together as make `bytes`. */
async function *batches(source: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<readonly Uint8Array[]> {
  let batch: Uint8Array[] = [];
  let size = 0;
  for await (const piece of source) {
    if (piece.length === 0) continue;
    batch.push(piece);
    size += piece.length;
    if (size >= bytes) {
      yield batch;
      [batch, size] = [[], 0];
    }
  }
  if (size > 0) yield batch;
}

function requirePipe<Pipe extends Writable | Readable>(pipe: Pipe | null): Pipe {
  if (pipe === null) throw new Error('the extractor was started without a pipe');
  return pipe;
}
