import { createServer as createPlainServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Registry } from 'prom-client';
import { splitAddress } from '#kit/address-parse.ts';
import type { IdentityHolder } from '#rpc/identity-holder.ts';
import { secureContextOptions } from '#rpc/tls-fs.ts';

export interface MetricsServerOptions {
  /** `host:port`. */
  readonly listen: string;
  /** Absent: plain HTTP, when the operator said so. Asks for a client certificate of the cluster. */
  readonly identity?: IdentityHolder;
}

/** Serves /metrics until the signal aborts. */
export async function serveMetrics(registry: Registry, options: MetricsServerOptions, signal: AbortSignal): Promise<void> {
  const server = makeServer(options, (request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end();
      return;
    }
    if (request.url !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    registry.metrics().then(
      text => { response.writeHead(200, { 'content-type': registry.contentType }).end(text); },
      () => { response.writeHead(500).end(); },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(splitAddress(options.listen));
    signal.addEventListener('abort', () => {
      server.closeAllConnections();
      server.close(() => { resolve(); });
    }, { once: true });
  });
}

function makeServer({ identity }: MetricsServerOptions, listener: RequestListener): Server {
  if (identity === undefined) {
    return createPlainServer(listener);
  }
  const server = createTlsServer({ ...secureContextOptions(identity.current), requestCert: true, rejectUnauthorized: true }, listener);
  identity.onRenewed(renewed => { server.setSecureContext(secureContextOptions(renewed)); });
  return server;
}
