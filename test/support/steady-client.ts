import { get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { IN_FLIGHT_MS } from '../../controller/endpoints/withdrawal-flow.ts';
import { eventually } from './dev-cluster.ts';

/** Between requests of one address. */
const PAUSE_MS = 5;
const TIMEOUT_MS = 5_000;

/** One answer: its text, or why there was none. */
type Answer = { readonly text: string } | { readonly failure: string };

/**
 * A client that asks for `path` at every address, one request after another, each on a connection of its own, until `stop`.
 *
 * Nothing is tried again: a request that fails counts.
 */
export class SteadyClient {
  readonly failures: string[] = [];
  readonly answers = new Map<string, number>();
  readonly #work: Promise<unknown>;
  #isStopped = false;
  #count = 0;
  #slowCount = 0;

  /** @param addresses  `host:port` */
  constructor(addresses: readonly string[], path = '/') {
    this.#work = Promise.all(addresses.map(async address => { await this.#ask(`http://${address}${path}`); }));
  }

  get count(): number {
    return this.#count;
  }

  /** Requests that were under way for longer than a stop waits for those in flight: their program may be told to end before they come to it. */
  get slowCount(): number {
    return this.#slowCount;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#work;
  }

  async #ask(url: string): Promise<void> {
    while (!this.#isStopped) {
      const askedAtMs = performance.now();
      const answer = await request(url);
      this.#count += 1;
      if (performance.now() - askedAtMs > IN_FLIGHT_MS) this.#slowCount += 1;
      if ('failure' in answer) {
        this.failures.push(`${new Date().toISOString()} ${url}: ${answer.failure}`);
      } else {
        this.answers.set(answer.text, (this.answers.get(answer.text) ?? 0) + 1);
      }
      await sleep(PAUSE_MS);
    }
  }
}

/** Waits until each of `addresses`, `host:port`, answers: rules follow what `--wait` waits for. */
export async function untilAnswered(addresses: readonly string[]): Promise<void> {
  for (const address of addresses) {
    await eventually(`an answer at ${address}`, 60_000, async () => 'text' in await request(`http://${address}/`));
  }
}

/** One GET on a connection of its own. */
export async function request(url: string): Promise<Answer> {
  return await new Promise(resolve => {
    const call = get(url, { agent: false, timeout: TIMEOUT_MS }, response => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => { text += part; });
      response.on('end', () => { resolve(response.statusCode === 200 ? { text: text.trim() } : { failure: `status ${String(response.statusCode)}` }); });
      response.on('error', error => { resolve({ failure: error.message }); });
    });
    call.on('timeout', () => { call.destroy(new Error(`no answer within ${String(TIMEOUT_MS)} ms`)); });
    call.on('error', error => { resolve({ failure: error.message }); });
  });
}
