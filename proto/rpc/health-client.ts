/**
 * Asks a gRPC server of whoever how it is, in HTTP/2 of our own: grpc-js keeps the connection to a server that never answers, and dials one that
 * speaks something else for ever, after its client was closed.
 * Sources: https://github.com/grpc/grpc/blob/master/doc/health-checking.md, PROTOCOL-HTTP2.md beside it.
 */
import { connect } from 'node:http2';
import type { ClientHttp2Session, IncomingHttpHeaders } from 'node:http2';
import type { HealthCheckResponse_ServingStatus } from '#gen/grpc/health/v1/health.ts';
import { HealthCheckRequest, HealthCheckResponse } from '#gen/grpc/health/v1/health.ts';

export type ServingStatus = keyof typeof HealthCheckResponse_ServingStatus;

const CHECK = '/grpc.health.v1.Health/Check';
/** Before each message: one byte, whether it is compressed, and its length in four. */
const PREFIX_BYTES = 5;
/** An answer is a few bytes. */
const MAX_ANSWER_BYTES = 1024;
/** Source: gRPC's statuscodes.md. */
const OK = '0';
const NOT_FOUND = '5';
const UNIMPLEMENTED = '12';

/**
 * Over a connection of its own, without TLS, which is gone when this ends.
 *
 * @param service  empty: the server as a whole
 * @throws Error that says in a line what the server did
 */
export async function askServingStatus(address: { readonly host: string; readonly port: number }, service: string, signal: AbortSignal): Promise<ServingStatus> {
  signal.throwIfAborted();
  const session = connect(`http://${address.host}:${String(address.port)}`);
  const failed = Promise.withResolvers<never>();
  session.on('error', failed.reject);
  session.on('close', () => { failed.reject(new Error('the connection was closed')); });
  const stop = (): void => { failed.reject(signal.reason as Error); };
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([check(session, service), failed.promise]);
  } catch (error) {
    throw said(error as Error);
  } finally {
    signal.removeEventListener('abort', stop);
    session.destroy();
  }
}

async function check(session: ClientHttp2Session, service: string): Promise<ServingStatus> {
  const stream = session.request({ ':method': 'POST', ':path': CHECK, 'content-type': 'application/grpc', te: 'trailers', 'user-agent': 'gantry-health' });
  let headers: IncomingHttpHeaders = {};
  stream.on('error', () => { /* thrown by the reading below */ });
  stream.on('response', received => { headers = { ...headers, ...received }; });
  stream.on('trailers', (received: IncomingHttpHeaders) => { headers = { ...headers, ...received }; });
  stream.end(framed(HealthCheckRequest.encode({ service }).finish()));
  let body = Buffer.alloc(0);
  for await (const bytes of stream as AsyncIterable<Buffer>) {
    body = Buffer.concat([body, bytes]);
    if (body.length > MAX_ANSWER_BYTES) {
      throw new Error('answers too much');
    }
  }
  requireOk(headers, service);
  return wordOf(HealthCheckResponse.decode(body.subarray(PREFIX_BYTES)).status);
}

/** The signal's reason as it is. */
function said(error: Error & { readonly code?: unknown }): Error {
  return typeof error.code === 'string' ? new Error(error.code === 'ERR_HTTP2_ERROR' ? 'speaks no HTTP/2' : error.code, { cause: error }) : error;
}

function framed(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function requireOk(headers: IncomingHttpHeaders, service: string): void {
  switch (headers['grpc-status']) {
    case OK: return;
    case undefined: throw new Error(`is no gRPC server: HTTP status ${String(headers[':status'] ?? 'unknown')}`);
    case UNIMPLEMENTED: throw new Error('does not serve grpc.health.v1.Health');
    case NOT_FOUND: throw new Error(`knows no service ${service === '' ? 'of no name' : service}`);
    default: throw new Error(`gRPC status ${String(headers['grpc-status'])} ${String(headers['grpc-message'] ?? '')}`.trimEnd());
  }
}

/** A number that the standard does not have is unknown. */
function wordOf(status: HealthCheckResponse_ServingStatus): ServingStatus {
  const words: readonly ServingStatus[] = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
  return words[status] ?? 'UNKNOWN';
}
