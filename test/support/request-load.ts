import { Agent, get } from 'node:http';

export interface FailedRequest {
  /** Milliseconds since the load began. */
  readonly atMs: number;
  readonly reason: string;
}

const REQUEST_LIMIT_MS = 5_000;

/** Requests at a steady rate, each on a connection of its own unless they are kept alive, with a log of those that failed: no answer, not 200, or too late. */
export class RequestLoad implements AsyncDisposable {
  readonly failures: FailedRequest[] = [];
  readonly #url: string;
  readonly #startedAtMs = performance.now();
  readonly #timer: NodeJS.Timeout;
  readonly #open = new Set<Promise<void>>();
  readonly #agent: Agent | false;
  readonly #localAddress: string | undefined;
  sent = 0;

  /**
   * @param connections  kept alive and used again and again; 0: none
   * @param localAddress  where the connections come from
   */
  constructor(url: string, perSecond: number, connections = 0, localAddress?: string) {
    this.#url = url;
    this.#localAddress = localAddress;
    this.#agent = connections === 0 ? false : new Agent({ keepAlive: true, maxSockets: connections });
    this.#timer = setInterval(() => { this.#fire(); }, 1_000 / perSecond);
  }

  /** Ends the load once every request was answered or failed. */
  async stop(): Promise<{ readonly sent: number; readonly failures: readonly FailedRequest[] }> {
    clearInterval(this.#timer);
    await Promise.all(this.#open);
    if (this.#agent !== false) {
      this.#agent.destroy();
    }
    return { sent: this.sent, failures: this.failures };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #fire(): void {
    this.sent += 1;
    const atMs = Math.round(performance.now() - this.#startedAtMs);
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
