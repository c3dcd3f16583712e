import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { once } from 'node:events';

interface RelayOptions {
  /** Where it listens, at a free port. */
  readonly host: string;
  readonly upstream: { readonly host: string; readonly port: number };
  /** Each way. */
  readonly delayMs?: number;
}

/** Between clients and a server: late by a fixed time, or silent. It knows nothing of what it carries. */
export class TcpRelay {
  readonly #options: RelayOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isSilent = false;
  #isDeaf = false;

  private constructor(options: RelayOptions) {
    this.#options = options;
    this.#server = createServer(socket => { this.#serve(socket); });
  }

  static async start(options: RelayOptions): Promise<TcpRelay> {
    const relay = new TcpRelay(options);
    relay.#server.listen(0, options.host);
    await once(relay.#server, 'listening');
    return relay;
  }

  get port(): number {
    const address = this.#server.address();
    return address === null || typeof address === 'string' ? 0 : address.port;
  }

  /** From now on nothing goes through, either way; connections stay and new ones are taken. */
  silence(): void {
    this.#isSilent = true;
    this.#isDeaf = true;
  }

  /** From now on requests go through and no answer does. */
  swallowAnswers(): void {
    this.#isSilent = true;
  }

  /** What was kept back is lost: its connections end, and new ones go through. */
  heal(): void {
    this.#isSilent = false;
    this.#isDeaf = false;
    this.#sockets.forEach(socket => { socket.destroy(); });
  }

  async close(): Promise<void> {
    this.#sockets.forEach(socket => { socket.destroy(); });
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(client: Socket): void {
    const { upstream } = this.#options;
    const server = connect(upstream.port, upstream.host);
    this.#carry(client, server, () => !this.#isDeaf);
    this.#carry(server, client, () => !this.#isSilent);
  }

  #carry(from: Socket, to: Socket, mayPass: () => boolean): void {
    this.#sockets.add(from);
    from.setNoDelay(true);
    // Timers of one length fire in the order they were set.
    const later = (act: () => void): void => { setTimeout(act, this.#options.delayMs ?? 0); };
    from.on('data', (chunk: Buffer) => {
      if (mayPass()) later(() => { if (!to.destroyed) to.write(chunk); });
    });
    from.on('error', () => { /* its close follows */ });
    from.on('close', () => {
      this.#sockets.delete(from);
      later(() => { to.destroy(); });
    });
  }
}
