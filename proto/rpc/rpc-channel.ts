import { Client, connectivityState, Metadata } from '@grpc/grpc-js';
import type { ChannelOptions, ServiceError } from '@grpc/grpc-js';
import { ClusterError } from '#model/errors.ts';
import { ownCertificateProblem } from './connection-failure-parse.ts';
import { MAX_CALL_MS } from './deadline.ts';
import { MessageStream } from './message-stream.ts';
import type { Method } from './method.ts';
import { fromStatus } from './status.ts';
import type { CallTarget } from './status.ts';
import { channelCredentials } from './tls-fs.ts';
import type { TlsIdentity } from './tls-fs.ts';

/** Answers may be large: a view or an endpoint set of a big cluster. Callers trust their controller. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;
const KEEPALIVE_MS = 5_000;
const CALL_TIMEOUT_MS = 30_000;
/** Any controller of our CA will do (see channelCredentials); a fixed name keeps IP addresses out of SNI. Source: RFC 6066 section 3. */
const SERVER_NAME = 'controller.gantry.internal';

const OPTIONS: ChannelOptions = {
  'grpc.ssl_target_name_override': SERVER_NAME,
  'grpc.default_authority': SERVER_NAME,
  'grpc.max_receive_message_length': MAX_ANSWER_BYTES,
  'grpc.max_send_message_length': -1,
  'grpc.keepalive_time_ms': KEEPALIVE_MS,
  'grpc.keepalive_timeout_ms': KEEPALIVE_MS,
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 2_000,
  // Retrying is ours to decide: gRPC would buffer what was sent on streams.
  'grpc.enable_retries': 0,
  'grpc.enable_http_proxy': 0,
  'grpc.use_local_subchannel_pool': 1,
};

export interface CallOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** One connection to one controller, `host:port`. Nothing is dialled before the first call. */
export class RpcChannel {
  readonly #target: CallTarget;
  readonly #client: Client;

  constructor(address: string, identity: TlsIdentity) {
    const { caPem, pair } = identity;
    this.#target = { address, ownProblem: () => pair && ownCertificateProblem(pair.certificatePem, caPem, Date.now()) };
    this.#client = new Client(address, channelCredentials(identity), OPTIONS);
  }

  /** @throws ClusterError as the handler threw it, or UNAVAILABLE, DEADLINE_EXCEEDED; the signal's reason when aborted */
  async unary<Request, Answer>(method: Method<Request, Answer>, request: Request, { timeoutMs = CALL_TIMEOUT_MS, signal }: CallOptions = {}): Promise<Answer> {
    signal?.throwIfAborted();
    const answered = Promise.withResolvers<Buffer>();
    const call = this.#client.makeUnaryRequest(
      method.path, method.requestSerialize, method.responseDeserialize, method.encodeRequest(request), new Metadata(),
      // gRPC cannot say a deadline of centuries and would never answer. Source: gRPC over HTTP2, "Timeout": 8 digits.
      { deadline: Date.now() + Math.min(timeoutMs, MAX_CALL_MS) },
      (error: ServiceError | null, answer?: Buffer) => {
        if (answer === undefined) {
          answered.reject(signal?.aborted === true ? signal.reason as Error : this.#failure(error));
        } else {
          answered.resolve(answer);
        }
      },
    );
    const cancel = (): void => { call.cancel(); };
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      return method.decodeAnswer(await answered.promise);
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
  }

  /** Answers until the server ends or `signal` aborts (then it throws the signal's reason). */
  async *stream<Request, Answer>(method: Method<Request, Answer>, request: Request, signal: AbortSignal): AsyncGenerator<Answer, void, undefined> {
    signal.throwIfAborted();
    const call = this.#client.makeServerStreamRequest(
      method.path, method.requestSerialize, method.responseDeserialize, method.encodeRequest(request), new Metadata(), {},
    );
    let failure: ServiceError | undefined;
    call.on('error', (error: ServiceError) => { failure = error; });
    const cancel = (): void => { call.cancel(); };
    signal.addEventListener('abort', cancel, { once: true });
    try {
      for await (const bytes of call.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        yield method.decodeAnswer(bytes);
      }
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof ClusterError ? error : this.#failure(failure ?? null);
    } finally {
      signal.removeEventListener('abort', cancel);
      call.cancel();
    }
    if (failure !== undefined) {
      signal.throwIfAborted();
      throw this.#failure(failure);
    }
  }

  duplex<Request, Answer>(method: Method<Request, Answer>): MessageStream<Answer, Request> {
    const call = this.#client.makeBidiStreamRequest(method.path, method.requestSerialize, method.responseDeserialize, new Metadata(), {});
    return new MessageStream<Answer, Request>(call, {
      decode: method.decodeAnswer, encode: method.encodeRequest, other: this.#target, abandon: () => { call.cancel(); }, isServing: false,
    });
  }

  /** True when a connection is up within `timeoutMs`; false as soon as one attempt failed. */
  async isReachable(timeoutMs: number): Promise<boolean> {
    const channel = this.#client.getChannel();
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const state = channel.getConnectivityState(true);
      if (state === connectivityState.READY || state === connectivityState.TRANSIENT_FAILURE || state === connectivityState.SHUTDOWN) {
        return state === connectivityState.READY;
      }
      const isChanged = await new Promise<boolean>(resolve => {
        channel.watchConnectivityState(state, deadline, error => { resolve(error === undefined); });
      });
      if (!isChanged) {
        return false;
      }
    }
  }

  close(): void {
    this.#client.close();
  }

  #failure(error: ServiceError | null): ClusterError {
    return error === null ? new ClusterError('INTERNAL', `${this.#target.address} answered nothing`) : fromStatus(error, this.#target);
  }
}
