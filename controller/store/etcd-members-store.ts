/** The members of one etcd: one is asked for everything, until it fails to answer; then the next one is. */
import { noop } from 'cockatiel';
import { Etcd3 } from 'etcd3';

export interface EtcdAccess {
  /** `http://` or `https://` addresses of the members. */
  readonly hosts: readonly string[];
  readonly tls?: EtcdTls;
}

export interface EtcdTls {
  readonly caPem: Buffer;
  readonly certificatePem: Buffer;
  readonly keyPem: Buffer;
}

export interface EtcdMember {
  readonly client: Etcd3;
  /** Aborted once another member is asked instead: what still waits for this one has to ask that. */
  readonly left: AbortSignal;
}

const GRPC_OPTIONS = {
  // etcd closes connections that ping more often than each 5 s. Source: etcd, server flag --grpc-keepalive-min-time.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.max_receive_message_length': 64 * 1024 * 1024,
};

/** Not etcd3's own choice, a member at random for each call: one that is cut off without a word would take its share of them. */
export class EtcdMembers {
  readonly #hosts: readonly string[];
  #clients: readonly Etcd3[];
  /** Of the certificate before: what waits at them goes on. */
  #earlier: readonly Etcd3[] = [];
  #index: number;
  #leaving = new AbortController();

  constructor({ hosts, tls }: EtcdAccess) {
    this.#hosts = hosts;
    this.#clients = connect(hosts, tls);
    this.#index = Math.floor(Math.random() * hosts.length);
  }

  get count(): number {
    return this.#clients.length;
  }

  /** @throws Error where etcd has no members */
  get current(): EtcdMember {
    const client = this.#clients[this.#index];
    if (client === undefined) {
      throw new Error('no member of etcd is given');
    }
    return { client, left: this.#leaving.signal };
  }

  /** The member did not answer. Does nothing where another call has left it before, or where it is the only one. */
  leave({ left }: EtcdMember): void {
    if (left !== this.#leaving.signal || this.#clients.length === 1) {
      return;
    }
    this.#index = (this.#index + 1) % this.#clients.length;
    const leaving = this.#leaving;
    this.#leaving = new AbortController();
    leaving.abort(new Error('another member of etcd is asked'));
  }

  /** New calls show this certificate. Connections of the one before stay until the next renewal. */
  useTls(tls: EtcdTls): void {
    this.#earlier.forEach(client => { client.close(); });
    this.#earlier = this.#clients;
    this.#clients = connect(this.#hosts, tls);
  }

  close(): void {
    [...this.#earlier, ...this.#clients].forEach(client => { client.close(); });
  }
}

function connect(hosts: readonly string[], tls: EtcdTls | undefined): readonly Etcd3[] {
  return hosts.map(host => new Etcd3({
    hosts: [host],
    faultHandling: { host: () => noop, global: noop },
    grpcOptions: GRPC_OPTIONS,
    ...(tls === undefined ? {} : { credentials: { rootCertificate: tls.caPem, certChain: tls.certificatePem, privateKey: tls.keyPem } }),
  }));
}
