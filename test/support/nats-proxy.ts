import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { once } from 'node:events';
import { connect as connectTls, TLSSocket } from 'node:tls';

/** What is done to each message that a client publishes. */
export type NatsFault = 'pass' | 'lose' | 'double' | 'reorder' | 'late';

export interface NatsProxyOptions {
  readonly host: string;
  readonly port: number;
  readonly upstreamPort: number;
  /** Directory of `certificate.pem`, `key.pem` and `ca.pem`: shown to clients, and to the server. */
  readonly identityDir: string;
  /** Of the n-th message, counted from 0. */
  readonly decide: (index: number) => NatsFault;
}

/**
 * Between NATS clients and their server: loses, doubles, reorders and delays what clients publish. It ends TLS on both sides, since what
 * it works on are messages. Source: NATS client protocol, "Protocol messages": INFO is plain, TLS follows, then lines ended by CR LF.
 */
export class NatsProxy {
  readonly counts: Record<NatsFault, number> = { pass: 0, lose: 0, double: 0, reorder: 0, late: 0 };
  readonly #options: NatsProxyOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Messages held back until `release`. */
  readonly #late: (() => void)[] = [];
  #count = 0;

  private constructor(options: NatsProxyOptions) {
    this.#options = options;
    this.#server = createServer(socket => { this.#serve(socket); });
  }

  static async start(options: NatsProxyOptions): Promise<NatsProxy> {
    const proxy = new NatsProxy(options);
    proxy.#server.listen(options.port, options.host);
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** Delivers all that is late, newest first. */
  release(): number {
    const late = this.#late.splice(0).reverse();
    late.forEach(deliver => { deliver(); });
    return late.length;
  }

  async close(): Promise<void> {
    this.#sockets.forEach(socket => { socket.destroy(); });
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(plainClient: Socket): void {
    const { host, upstreamPort, identityDir } = this.#options;
    const [cert, key, ca] = ['certificate', 'key', 'ca'].map(name => readFileSync(`${identityDir}/${name}.pem`));
    const plainServer = connect(upstreamPort, host);
    this.#bind(plainClient, plainServer);
    plainServer.once('data', (greeting: Buffer) => {
      plainClient.write(greeting);
      const server = connectTls({ socket: plainServer, cert, key, ca, checkServerIdentity: () => undefined });
      const client = new TLSSocket(plainClient, { isServer: true, cert, key, ca, requestCert: true });
      this.#bind(client, server);
      server.pipe(client);
      const messages = new PublishedMessages((message, isPublished) => {
        if (isPublished) this.#fault(message, server);
        else server.write(message);
      });
      client.on('data', (chunk: Buffer) => { messages.take(chunk); });
    });
  }

  #bind(one: Socket, other: Socket): void {
    for (const [socket, peer] of [[one, other], [other, one]] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => { /* its close follows */ });
      socket.on('close', () => {
        this.#sockets.delete(socket);
        peer.destroy();
      });
    }
  }

  readonly #waiting = new WeakMap<Socket, Buffer>();

  #fault(message: Buffer, server: Socket): void {
    const fault = this.#options.decide(this.#count);
    this.#count += 1;
    this.counts[fault] += 1;
    const held = this.#waiting.get(server);
    this.#waiting.delete(server);
    if (fault === 'late') {
      this.#late.push(() => { if (!server.destroyed) server.write(message); });
    } else if (fault === 'reorder') {
      this.#waiting.set(server, message);
    } else if (fault !== 'lose') {
      server.write(fault === 'double' ? Buffer.concat([message, message]) : message);
    }
    if (held !== undefined) server.write(held);
  }
}

/** Splits what a client sends into messages: PUB and HPUB with their payload, other lines as they are. */
class PublishedMessages {
  #rest: Buffer = Buffer.alloc(0);
  readonly #emit: (message: Buffer, isPublished: boolean) => void;

  constructor(emit: (message: Buffer, isPublished: boolean) => void) {
    this.#emit = emit;
  }

  take(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const lineEnd = this.#rest.indexOf('\r\n');
      if (lineEnd < 0) {
        return;
      }
      const words = this.#rest.subarray(0, lineEnd).toString('latin1').split(/\s+/);
      const isPublished = /^H?PUB$/i.test(words[0] ?? '');
      const end = lineEnd + 2 + (isPublished ? Number(words.at(-1)) + 2 : 0);
      if (this.#rest.length < end) {
        return;
      }
      const message = Buffer.from(this.#rest.subarray(0, end));
      this.#rest = this.#rest.subarray(end);
      this.#emit(message, isPublished);
    }
  }
}
