import { Agent, get } from 'node:http';

export interface FailedRequest {
  /** Milliseconds since the load began. */
  readonly atMs: number;
  readonly reason: string;
}

/** What a load did. */
export interface LoadEnd {
  readonly sent: number;
  /** Requests a second that were sent before `stop`, on average. */
  readonly perSecond: number;
  readonly failures: readonly FailedRequest[];
}

const REQUEST_LIMIT_MS = 5_000;
/** A timer is not exact, and each of its turns costs: at high rates a turn sends several requests. */
const LEAST_TURN_MS = 4;

/**
 * Requests by a schedule on the monotonic clock, each on a connection of its own unless they are kept alive, with a log of those that failed: no answer, not 200, or too late.
 *
 * None waits for the answer of another, and what is late is sent at once: neither a slow server nor a busy machine makes the load smaller.
 */
export class RequestLoad implements AsyncDisposable {
  readonly failures: FailedRequest[] = [];
  readonly #url: string;
  readonly #perSecond: number;
  readonly #startedAtMs = performance.now();
  readonly #timer: NodeJS.Timeout;
  readonly #open = new Set<Promise<void>>();
  readonly #agent: Agent | false;
  readonly #localAddress: string | undefined;
  #end: Promise<LoadEnd> | undefined;
  sent = 0;

  /**
   * @param connections  kept alive and used in turn, others while these are in use; 0: none
   * @param localAddress  where the connections come from
   */
  constructor(url: string, perSecond: number, connections = 0, localAddress?: string) {
    this.#url = url;
    this.#perSecond = perSecond;
    this.#localAddress = localAddress;
    this.#agent = connections === 0 ? false : new Agent({ keepAlive: true, maxFreeSockets: connections, scheduling: 'fifo' });
    // After the sockets were read: a connection that the server has closed is not used again.
    this.#timer = setInterval(() => { setImmediate(() => { this.#turn(); }); }, Math.max(LEAST_TURN_MS, 1_000 / perSecond));
  }

  /** Ends the load once every request was answered or failed. */
  async stop(): Promise<LoadEnd> {
    this.#end ??= this.#finish();
    return await this.#end;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #finish(): Promise<LoadEnd> {
    clearInterval(this.#timer);
    // Without what is late now: a load that fell behind did not reach its rate.
    const sentInTime = this.sent;
    const lastedMs = this.#sendDue();
    await Promise.all(this.#open);
    if (this.#agent !== false) {
      this.#agent.destroy();
    }
    return { sent: this.sent, perSecond: sentInTime * 1_000 / lastedMs, failures: this.failures };
  }

  /** The last may come after `stop`. */
  #turn(): void {
    if (this.#end === undefined) {
      this.#sendDue();
    }
  }

  /** @returns milliseconds since the load began */
  #sendDue(): number {
    const atMs = performance.now() - this.#startedAtMs;
    const due = Math.floor(atMs * this.#perSecond / 1_000);
    while (this.sent < due) {
      this.#send(Math.round(atMs));
    }
    return atMs;
  }

  #send(atMs: number): void {
    this.sent += 1;
    const one = requestOnce(this.#url, { agent: this.#agent, ...(this.#localAddress === undefined ? {} : { localAddress: this.#localAddress }) })
      .catch((error: unknown) => { this.failures.push({ atMs, reason: error instanceof Error ? error.message : String(error) }); })
      .finally(() => { this.#open.delete(one); });
    this.#open.add(one);
  }
}

async function requestOnce(url: string, from: { readonly agent: Agent | false; readonly localAddress?: string }): Promise<void> {
  const answered = Promise.withResolvers<undefined>();
  const request = get(url, { ...from, timeout: REQUEST_LIMIT_MS }, response => {
    response.resume();
    response.on('error', answered.reject);
    response.on('end', () => {
      if (response.statusCode === 200) {
        answered.resolve(undefined);
      } else {
        answered.reject(new Error(`status ${String(response.statusCode)}`));
      }
    });
  });
  request.on('timeout', () => { request.destroy(new Error(`no answer within ${String(REQUEST_LIMIT_MS)} ms`)); });
  request.on('error', answered.reject);
  await answered.promise;
}
