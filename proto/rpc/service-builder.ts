import { constants } from 'node:http2';
import type { ServerHttp2Stream } from 'node:http2';
import type {
  Metadata, MethodDefinition, sendUnaryData, ServerDuplexStream, ServerUnaryCall, ServerWritableStream, ServiceDefinition, UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { ServerSurfaceCall } from '@grpc/grpc-js/build/src/server-call.js';
import type { Logger } from '#kit/logger.ts';
import { CLOCK_SKEW_MS } from '#identity/certificate-rules.ts';
import { ClusterError } from '#model/errors.ts';
import { parseSubjectAltName } from '#model/peer-name.ts';
import type { PeerRole } from '#model/peer-name.ts';
import type { Peer } from '#model/ports.ts';
import { CALL_LIMITS, CallBounds } from './call-bounds.ts';
import type { CallKind, CallLimits } from './call-bounds.ts';
import type { CallEnd } from './call-end.ts';
import { withinDeadline } from './deadline.ts';
import { MessageStream } from './message-stream.ts';
import type { Method } from './method.ts';
import { toStatus } from './status.ts';

/** Source: reliability 10; HTTP/2 itself stops at 64 KiB. */
const MAX_HEADER_BYTES = 16 * 1024;
/** A reader that takes nothing for so long is dropped. */
export const READER_STALL_MS = 30_000;

/** What `startRpcServer` serves. */
export interface RpcService {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

type StreamingCall = ServerWritableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>;

export interface ServiceOptions {
  /** Whose certificates it takes; `anyone` is for Join alone. */
  readonly role: PeerRole | 'anyone';
  readonly log: Logger;
  readonly readerStallMs?: number;
  /** How long the caller of a stream that ended has to read its end. Default: 30 s. */
  readonly dropGraceMs?: number;
  /** Default: those of the role. */
  readonly limits?: CallLimits;
  /** Told of each call at its end, and of a stream in both directions also once it is known what it is for; must not throw. */
  readonly onCall?: (end: CallEnd) => void;
}

/** What a handler's call is for, once it was read. */
type Note = (request: unknown) => void;

/** Binds handlers over model values to rpcs: who calls, deadlines, cancellation and errors are settled here. */
export class ServiceBuilder implements RpcService {
  readonly definition: Record<string, MethodDefinition<Buffer, Buffer>> = {};
  readonly implementation: UntypedServiceImplementation = {};
  readonly #options: ServiceOptions;
  readonly #bounds: CallBounds;

  constructor(options: ServiceOptions) {
    this.#options = options;
    this.#bounds = new CallBounds(options.limits ?? CALL_LIMITS[options.role]);
  }

  unary<Request, Answer>(method: Method<Request, Answer>, handler: (request: Request, peer: Peer) => Promise<Answer>): this {
    return this.#add(method, (call: ServerUnaryCall<Buffer, Buffer>, respond: sendUnaryData<Buffer>) => {
      const work = (): Promise<Buffer> => this.#accounted(call, { path: method.path, kind: 'call' }, async (peer, note) => {
        const request = method.decodeRequest(call.request);
        note(request);
        return method.encodeAnswer(await handler(request, peer));
      });
      withinDeadline(work, call.getDeadline(), Date.now()).then(
        answer => { respond(null, answer); },
        (error: unknown) => { respond(this.#statusOf(error, method.path)); },
      );
    });
  }

  /** Answers one after the other, each taken by the transport before the next is asked for. */
  stream<Request, Answer>(
    method: Method<Request, Answer>,
    handler: (request: Request, peer: Peer, signal: AbortSignal) => AsyncIterable<Answer>,
  ): this {
    return this.#add(method, (call: ServerWritableStream<Buffer, Buffer>) => {
      const cancel = cancellation(call);
      const work = this.#accounted(call, { path: method.path, kind: 'watch' }, async (peer, note) => {
        const request = method.decodeRequest(call.request);
        note(request);
        for await (const answer of handler(request, peer, cancel.signal)) {
          await this.#write(call, method.encodeAnswer(answer));
        }
      });
      this.#finish(work, call, method.path, cancel);
    });
  }

  duplex<Request, Answer>(
    method: Method<Request, Answer>,
    handler: (stream: MessageStream<Request, Answer>, peer: Peer, signal: AbortSignal, note: Note) => Promise<void>,
    kind: CallKind = 'call',
  ): this {
    return this.#add(method, (call: ServerDuplexStream<Buffer, Buffer>) => {
      const cancel = cancellation(call);
      const stream = new MessageStream<Request, Answer>(call, {
        decode: method.decodeRequest,
        encode: method.encodeAnswer,
        other: { address: call.getPeer() },
        abandon: () => { call.destroy(); },
        isServing: true,
      });
      const work = this.#accounted(call, { path: method.path, kind }, async (peer, note) => {
        await handler(stream, peer, cancel.signal, request => {
          note(request);
          this.#options.onCall?.({ rpc: rpcName(method.path), caller: callerOf(call), address: addressOf(call), request, error: undefined, isBegun: true });
        });
        stream.close();
      });
      this.#finish(work, call, method.path, cancel);
    });
  }

  #add(method: MethodDefinition<Buffer, Buffer>, implementation: UntypedServiceImplementation[string]): this {
    this.definition[method.path] = method;
    this.implementation[method.path] = implementation;
    return this;
  }

  /** Runs the call and tells `onCall` how it ended. */
  async #accounted<T>(call: ServerSurfaceCall, { path, kind }: { readonly path: string; readonly kind: CallKind }, work: (peer: Peer, note: Note) => Promise<T>): Promise<T> {
    let request: unknown;
    const tell = (error: unknown): void => {
      this.#options.onCall?.({ rpc: rpcName(path), caller: callerOf(call), address: addressOf(call), request, error });
    };
    try {
      const answer = await this.#admitted(call, kind, async peer => await work(peer, noted => { request = noted; }));
      tell(undefined);
      return answer;
    } catch (error) {
      tell(error);
      throw error;
    }
  }

  /** Runs `work` for a peer that may call here. @throws ClusterError UNAUTHENTICATED, PERMISSION_DENIED, RESOURCE_EXHAUSTED */
  async #admitted<T>(call: ServerSurfaceCall, kind: CallKind, work: (peer: Peer) => Promise<T>): Promise<T> {
    const { role } = this.#options;
    const peer = requirePeer(call, role);
    checkHeaders(call.metadata);
    const end = this.#bounds.admit(role === 'anyone' ? peer.address : `${peer.role} ${peer.name}`, kind);
    try {
      return await work(peer);
    } finally {
      end();
    }
  }

  async #write(call: ServerWritableStream<Buffer, Buffer>, bytes: Buffer): Promise<void> {
    const stallMs = this.#options.readerStallMs ?? READER_STALL_MS;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new ClusterError('RESOURCE_EXHAUSTED', `reader is too slow: nothing taken for ${String(stallMs)} ms`));
      }, stallMs);
      call.write(bytes, (error: Error | null | undefined) => {
        clearTimeout(timer);
        if (error) {
          reject(error);
        } else {
          resolve();
        }
      });
    });
  }

  /** Ends the rpc as the work ended; either way, what the handler left running under its signal ends too. */
  #finish(work: Promise<void>, call: StreamingCall, path: string, cancel: AbortController): void {
    work.then(
      () => { call.end(); },
      (error: unknown) => {
        if (!cancel.signal.aborted) {
          call.emit('error', this.#statusOf(error, path));
        }
      },
    ).finally(() => {
      cancel.abort(new ClusterError('UNAVAILABLE', 'the call has ended'));
      resetUnread(call, this.#options.dropGraceMs ?? READER_STALL_MS);
    });
  }

  #statusOf(error: unknown, path: string): ReturnType<typeof toStatus> {
    if (!(error instanceof ClusterError) || error.code === 'INTERNAL') {
      this.#options.log.error({ rpc: path, err: error }, 'rpc failed');
    }
    return toStatus(error);
  }
}

/**
 * Resets the stream of a call that ended, if its caller does not read: the status waits behind what
 * was sent before, and all of it is held until the connection ends, while the call counts no more.
 * Source: @grpc/grpc-js 1.14, server-interceptors.js, BaseServerInterceptingCall: `stream`; it is
 * hidden where a server has interceptors of its own, and ours has none.
 */
function resetUnread(call: StreamingCall, graceMs: number): void {
  const { stream } = (call as unknown as { readonly call: { readonly stream?: ServerHttp2Stream } }).call;
  if (stream === undefined || stream.closed) return;
  const timer = setTimeout(() => { stream.close(constants.NGHTTP2_CANCEL); }, graceMs);
  stream.once('close', () => { clearTimeout(timer); });
}

function checkHeaders(metadata: Metadata): void {
  const bytes = Object.entries(metadata.getMap()).reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  if (bytes > MAX_HEADER_BYTES) {
    throw new ClusterError('RESOURCE_EXHAUSTED', `headers have ${String(bytes)} bytes, at most ${String(MAX_HEADER_BYTES)} are allowed`);
  }
}

function requirePeer(call: ServerSurfaceCall, role: PeerRole | 'anyone'): Peer {
  const address = addressOf(call);
  if (role === 'anyone') {
    return { role: 'node', name: '', address };
  }
  const certificate = call.getAuthContext().sslPeerCertificate;
  const peer = parseSubjectAltName(certificate?.subjectaltname ?? '');
  if (peer === undefined) {
    throw new ClusterError('UNAUTHENTICATED', 'the client certificate names no user, node or controller');
  }
  if (peer.role !== role) {
    throw new ClusterError('PERMISSION_DENIED', `${peer.role} ${peer.name} may not call this; it is for ${role}s`);
  }
  const certifiedAtMs = Date.parse(certificate?.valid_from ?? '') + CLOCK_SKEW_MS;
  return { ...peer, address, certifiedAtMs, certificateLifeMs: Date.parse(certificate?.valid_to ?? '') - certifiedAtMs };
}

function addressOf(call: ServerSurfaceCall): string {
  return call.getPeer().replace(/:\d+$/, '').replace(/^::ffff:/, '');
}

function callerOf(call: ServerSurfaceCall): string {
  const peer = parseSubjectAltName(call.getAuthContext().sslPeerCertificate?.subjectaltname ?? '');
  return peer === undefined ? '' : `${peer.role} ${peer.name}`;
}

/** `ControlApi.Scale` of `/gantry.v1.ControlApi/Scale`. */
function rpcName(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1).replace('/', '.');
}

function cancellation(call: StreamingCall): AbortController {
  const cancel = new AbortController();
  call.on('cancelled', () => { cancel.abort(new ClusterError('UNAVAILABLE', 'the caller is gone')); });
  return cancel;
}
