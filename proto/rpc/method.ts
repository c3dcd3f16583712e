import type { MethodDefinition } from '@grpc/grpc-js';
import { gatherUnknown, WireError } from '#codec/wire.ts';
import type { Codec } from '#codec/wire.ts';
import { ClusterError } from '#model/errors.ts';

/** One rpc over model values. Bytes cross gRPC as they are, so that a message that cannot be read is answered, not fatal. */
export interface Method<Request, Answer> extends MethodDefinition<Buffer, Buffer> {
  readonly encodeRequest: (request: Request) => Buffer;
  /** @throws ClusterError INVALID_ARGUMENT */
  readonly decodeRequest: (bytes: Buffer) => Request;
  readonly encodeAnswer: (answer: Answer) => Buffer;
  /** @throws ClusterError INTERNAL */
  readonly decodeAnswer: (bytes: Buffer) => Answer;
}

interface Message<Wire> {
  encode(message: Wire): { finish(): Uint8Array };
  decode(bytes: Uint8Array): Wire;
}

/** What ts-proto says of an rpc. */
interface WireMethod<Request, Answer> {
  readonly name: string;
  readonly requestType: Message<Request>;
  readonly requestStream: boolean;
  readonly responseType: Message<Answer>;
  readonly responseStream: boolean;
}

export function method<Request, WireRequest, Answer, WireAnswer>(
  service: { readonly fullName: string },
  wire: WireMethod<WireRequest, WireAnswer>,
  request: Codec<Request, WireRequest>,
  answer: Codec<Answer, WireAnswer>,
): Method<Request, Answer> {
  return {
    path: `/${service.fullName}/${wire.name}`,
    requestStream: wire.requestStream,
    responseStream: wire.responseStream,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
    encodeRequest: message => Buffer.from(wire.requestType.encode(request.toWire(message)).finish()),
    decodeRequest: bytes => decode(() => understood(() => request.fromWire(wire.requestType.decode(bytes)), wire.requestStream), 'INVALID_ARGUMENT'),
    encodeAnswer: message => Buffer.from(wire.responseType.encode(answer.toWire(message)).finish()),
    decodeAnswer: bytes => decode(() => answer.fromWire(wire.responseType.decode(bytes)), 'INTERNAL'),
  };
}

function same(bytes: Buffer): Buffer {
  return bytes;
}

/**
 * A single request with values of a newer program is refused: what it asks for is not known. In a stream
 * they concern a part of a message, whose reader decides.
 *
 * @throws WireError
 */
function understood<Message>(read: () => Message, isStream: boolean): Message {
  const { value, unknown } = gatherUnknown(read);
  if (unknown.length > 0 && !isStream) {
    throw new WireError(`${unknown.join(', ')} is not known here: the caller is of a newer version; upgrade the controllers`);
  }
  return value;
}

function decode<Message>(read: () => Message, code: 'INVALID_ARGUMENT' | 'INTERNAL'): Message {
  try {
    return read();
  } catch (cause) {
    throw new ClusterError(code, `invalid message: ${cause instanceof Error ? cause.message : 'unreadable'}`, { cause });
  }
}
