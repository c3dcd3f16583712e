import { createServer as createPlainServer } from 'node:http';
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import { createServer, Server as SecureServer } from 'node:https';
import { splitAddress } from '#kit/address-parse.ts';
import type { Loop } from '#kit/supervise-loop.ts';
import { secureContextOptions } from '#rpc/tls-fs.ts';
import type { TlsIdentity } from '#rpc/tls-fs.ts';

export interface Scraped {
  readonly contentType: string;
  readonly body: string;
}

export interface MetricsServerOptions {
  /** `host:port`. */
  readonly listen: string;
  /** Absent: plain HTTP. */
  readonly identity?: TlsIdentity;
  readonly metrics: () => Promise<Scraped>;
  readonly targets: () => unknown;
  /** Empty when all is well, else what is not. */
  readonly problem: () => string;
}

/**
 * `/metrics`, `/sd` (targets for Prometheus) and `/healthz`. With an identity every caller must show a certificate of the cluster.
 * Source of the `/sd` form: Prometheus, "HTTP SD".
 */
export class MetricsServer implements Loop {
  readonly #options: MetricsServerOptions;
  readonly #server: Server | SecureServer;

  constructor(options: MetricsServerOptions) {
    this.#options = options;
    const answer: RequestListener = (request, response) => { void this.#answer(request, response); };
    this.#server = options.identity === undefined
      ? createPlainServer(answer)
      : createServer({ ...secureContextOptions(options.identity), requestCert: true, rejectUnauthorized: true }, answer);
  }

  /** The port that it listens on, once `run` began; 0 before. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** New connections use the identity; for the renewal of certificates. */
  useIdentity(identity: TlsIdentity): void {
    if (this.#server instanceof SecureServer) {
      this.#server.setSecureContext(secureContextOptions(identity));
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    const { host, port } = splitAddress(this.#options.listen);
    const ended = Promise.withResolvers<never>();
    const close = (): void => {
      this.#server.close();
      this.#server.closeAllConnections();
      ended.reject(signal.reason as Error);
    };
    this.#server.on('error', error => { ended.reject(error); });
    this.#server.listen(port, host);
    signal.addEventListener('abort', close, { once: true });
    if (signal.aborted) {
      close();
    }
    await ended.promise;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD', 'content-type': 'text/plain' }).end('only GET and HEAD\n');
      return;
    }
    try {
      const { status, contentType, body } = await this.#page(request.url ?? '/');
      response.writeHead(status, { 'content-type': contentType }).end(body);
    } catch (error) {
      response.writeHead(500, { 'content-type': 'text/plain' }).end(error instanceof Error ? error.message : 'internal error');
    }
  }

  async #page(url: string): Promise<Scraped & { readonly status: number }> {
    switch (url) {
      case '/metrics': return { status: 200, ...await this.#options.metrics() };
      case '/sd': return { status: 200, contentType: 'application/json', body: JSON.stringify(this.#options.targets()) };
      case '/healthz': {
        const problem = this.#options.problem();
        return { status: problem === '' ? 200 : 503, contentType: 'text/plain', body: `${problem === '' ? 'ok' : problem}\n` };
      }
      default: return { status: 404, contentType: 'text/plain', body: 'only /metrics, /sd and /healthz are here\n' };
    }
  }
}
