/** Prometheus' query API, over the built-in fetch: the one door to it. */
import type { QueryAnswer } from './ports.ts';
import { readAnswer } from './prometheus-answer.ts';

const TIMEOUT_MS = 5_000;
/** Of an answer: a number has a few hundred bytes, what is longer was not meant as one. */
const MAX_ANSWER_BYTES = 1_048_576;

/** Asks `url` (with its path, where Prometheus is not at the root) for the value of a query now. */
export class PrometheusClient {
  readonly #endpoint: URL;
  readonly #timeoutMs: number;

  constructor(url: string, timeoutMs = TIMEOUT_MS) {
    this.#endpoint = new URL('api/v1/query', url.endsWith('/') ? url : `${url}/`);
    this.#timeoutMs = timeoutMs;
  }

  /** Rejects only when `signal` aborts. */
  async query(query: string, signal: AbortSignal): Promise<QueryAnswer> {
    const timeout = AbortSignal.timeout(this.#timeoutMs);
    try {
      const response = await fetch(this.#endpoint, { method: 'POST', body: new URLSearchParams({ query }), redirect: 'error', signal: AbortSignal.any([signal, timeout]) });
      const text = await readBounded(response);
      return text === undefined ? problem('the answer is too long') : readAnswer(parsed(text));
    } catch (error) {
      signal.throwIfAborted();
      return problem(timeout.aborted ? `${this.#endpoint.host} did not answer within ${String(this.#timeoutMs)} ms` : `${this.#endpoint.host} cannot be asked: ${causeOf(error)}`);
    }
  }
}

/** Undefined for more than is read. */
async function readBounded(response: Response): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES) {
      return undefined;
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON is not Prometheus; `readAnswer` says so.
    return undefined;
  }
}

/** fetch says `fetch failed`; what failed is below. */
function causeOf(error: unknown): string {
  const { cause } = error instanceof Error ? error : { cause: undefined };
  return cause instanceof Error ? cause.message : error instanceof Error ? error.message : String(error);
}

function problem(message: string): QueryAnswer {
  return { kind: 'problem', message };
}
