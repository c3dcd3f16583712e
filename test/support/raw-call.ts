/** gRPC by hand: what no well-behaved client sends. Source: gRPC over HTTP2, "Length-Prefixed-Message". */
import { connect } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { secureContextOptions } from '#rpc/tls-fs.ts';
import type { TlsIdentity } from '#rpc/tls-fs.ts';

/** Of a message: not compressed, and its length. */
function prefixOf(sizeBytes: number): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(sizeBytes, 1);
  return prefix;
}

export interface RawCall extends Disposable {
  readonly session: ClientHttp2Session;
  readonly stream: ClientHttp2Stream;
  /** The grpc-status; nothing is read of the stream until `resume`. */
  readonly status: Promise<string>;
}

/** One call with one message of these bytes. @param rpc  `Service/Method` of gantry.v1 */
export function rawCall(address: string, identity: TlsIdentity, rpc: string, message: Uint8Array, headers: Readonly<Record<string, string>> = {}): RawCall {
  const call = open(address, identity, rpc, headers);
  call.stream.end(Buffer.concat([prefixOf(message.length), message]));
  return call;
}

/** The grpc-status of a call that announces a message of this length and sends none of it. */
export async function statusOfClaim(address: string, identity: TlsIdentity, rpc: string, sizeBytes: number): Promise<string> {
  using call = open(address, identity, rpc, {});
  call.stream.write(prefixOf(sizeBytes));
  call.stream.resume();
  return await call.status;
}

function open(address: string, identity: TlsIdentity, rpc: string, headers: Readonly<Record<string, string>>): RawCall {
  const session = connect(`https://${address}`, { ...secureContextOptions(identity), checkServerIdentity: () => undefined });
  const stream = session.request({ ':method': 'POST', ':path': `/gantry.v1.${rpc}`, 'content-type': 'application/grpc', 'te': 'trailers', ...headers });
  const status = new Promise<string>((resolve, reject) => {
    const take = (fields: Readonly<Record<string, unknown>>): void => {
      const value: unknown = fields['grpc-status'];
      if (typeof value === 'string') {
        resolve(value);
      }
    };
    stream.on('response', take);
    stream.on('trailers', take);
    stream.on('error', reject);
    stream.on('close', () => { reject(new Error('closed without a status')); });
  });
  status.catch(() => undefined);
  return { session, stream, status, [Symbol.dispose]: () => { session.destroy(); } };
}

/** The same, read to its end: the grpc-status. */
export async function rawStatus(address: string, identity: TlsIdentity, rpc: string, message: Uint8Array, headers: Readonly<Record<string, string>> = {}): Promise<string> {
  using call = rawCall(address, identity, rpc, message, headers);
  call.stream.resume();
  return await call.status;
}
