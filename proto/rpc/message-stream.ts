import type { ClientDuplexStream, ServerDuplexStream, ServiceError } from '@grpc/grpc-js';
import { ClusterError } from '#model/errors.ts';
import { fromStatus } from './status.ts';
import type { CallTarget } from './status.ts';

/** How long a closed stream may take to flush what was sent before. */
const CLOSE_GRACE_MS = 5_000;

type RpcCall = ClientDuplexStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>;

export interface MessageStreamOptions<Incoming, Outgoing> {
  readonly decode: (bytes: Buffer) => Incoming;
  readonly encode: (message: Outgoing) => Buffer;
  /** Who is at the other end, for messages. */
  readonly other: CallTarget;
  /** Takes the rpc away without ceremony. */
  readonly abandon: () => void;
  /** Serving: the rpc is over once our half is flushed. Calling: the other end has the last word. */
  readonly isServing: boolean;
}

/**
 * One end of a bidirectional rpc, serving or calling.
 *
 * 1. Messages keep their order. 2. `send` resolves when HTTP/2 took the bytes, so a slow reader slows its writer; it
 * rejects once the stream is gone. 3. `messages` ends when the other end is done or we closed, and throws ClusterError when the
 * stream broke. 4. `close` flushes what was sent, for at most 5 s.
 */
export class MessageStream<Incoming, Outgoing> {
  readonly #call: RpcCall;
  readonly #options: MessageStreamOptions<Incoming, Outgoing>;
  readonly #waiting = new Set<(reason: ClusterError) => void>();
  #failure: ClusterError | undefined;
  #isClosed = false;
  #isGone = false;
  #queuedBytes = 0;

  constructor(call: RpcCall, options: MessageStreamOptions<Incoming, Outgoing>) {
    this.#call = call;
    this.#options = options;
    call.on('error', (error: Error) => { this.#failure ??= this.#explain(error); this.#end(); });
    for (const event of ['cancelled', 'status', 'close']) {
      call.on(event, () => { this.#end(); });
    }
    // Until its first read grpc-js takes in whatever arrives, without limit; from then on the reader sets the pace.
    call.read(0);
  }

  /** Bytes that the transport has not taken yet. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  get queuedMessages(): number {
    return this.#waiting.size;
  }

  async *messages(): AsyncGenerator<Incoming, void, undefined> {
    try {
      for await (const bytes of this.#call.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        yield this.#options.decode(bytes);
      }
    } catch (error) {
      this.#throwUnlessClosed(error);
    }
    this.#throwUnlessClosed(this.#failure);
  }

  async send(message: Outgoing): Promise<void> {
    if (this.#isGone || this.#isClosed) {
      throw this.#gone();
    }
    const bytes = this.#options.encode(message);
    this.#queuedBytes += bytes.length;
    let refuse: (reason: ClusterError) => void = () => undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        refuse = reject;
        this.#waiting.add(refuse);
        this.#call.write(bytes, (error: Error | null | undefined) => {
          if (error) {
            reject(this.#gone());
          } else {
            resolve();
          }
        });
      });
    } finally {
      this.#queuedBytes -= bytes.length;
      this.#waiting.delete(refuse);
    }
  }

  close(): void {
    if (this.#isClosed) {
      return;
    }
    this.#isClosed = true;
    const { abandon, isServing } = this.#options;
    const timer = setTimeout(abandon, CLOSE_GRACE_MS);
    this.#call.once(isServing ? 'finish' : 'status', () => {
      clearTimeout(timer);
      if (isServing) {
        abandon();
      }
    });
    this.#call.end();
    this.#call.resume();
  }

  /** Ends at once; what was not flushed is lost. */
  cancel(): void {
    this.#isClosed = true;
    this.#options.abandon();
  }

  #end(): void {
    this.#isGone = true;
    for (const refuse of this.#waiting) {
      refuse(this.#gone());
    }
  }

  #gone(): ClusterError {
    return this.#failure ?? new ClusterError('UNAVAILABLE', `${this.#options.other.address} is gone`);
  }

  #throwUnlessClosed(error: unknown): void {
    if (error instanceof ClusterError && error !== this.#failure) {
      throw error;
    }
    if (error !== undefined && !this.#isClosed) {
      throw this.#gone();
    }
  }

  #explain(error: Error): ClusterError {
    return 'metadata' in error ? fromStatus(error as ServiceError, this.#options.other) : new ClusterError('UNAVAILABLE', error.message);
  }
}
