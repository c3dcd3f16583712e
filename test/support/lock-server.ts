import { createServer } from 'node:http';
import type { Server } from 'node:http';

/**
 * Where tasks prove that they are alone: each beats `GET /hold/LOCK/HOLDER` as long as it runs. A holder that beats again after another
 * one did was running beside it: that is a violation, whatever the clocks say.
 */
export class LockServer {
  readonly violations: string[] = [];
  readonly #server: Server;
  readonly #held = new Map<string, { readonly holder: string; readonly earlier: Set<string> }>();
  readonly beats = new Map<string, number>();

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Listens on a free port of the address. */
  static async listen(address: string): Promise<LockServer> {
    const server = createServer();
    const locks = new LockServer(server);
    server.on('request', (request, response) => {
      const [, verb, lock, holder] = (request.url ?? '').split('/');
      if (verb === 'hold' && lock !== undefined && holder !== undefined) {
        locks.#beat(lock, holder);
      }
      response.end('ok\n');
    });
    await new Promise<void>(resolve => { server.listen(0, address, resolve); });
    return locks;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Who beat last. */
  holderOf(lock: string): string | undefined {
    return this.#held.get(lock)?.holder;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>(resolve => { this.#server.close(() => { resolve(); }); });
  }

  #beat(lock: string, holder: string): void {
    this.beats.set(holder, (this.beats.get(holder) ?? 0) + 1);
    const held = this.#held.get(lock);
    if (held?.holder === holder) {
      return;
    }
    const earlier = held?.earlier ?? new Set<string>();
    if (earlier.has(holder)) {
      this.violations.push(`${lock}: ${holder} beats after ${held?.holder ?? ''} took over`);
    }
    if (held !== undefined) {
      earlier.add(held.holder);
    }
    this.#held.set(lock, { holder, earlier });
  }
}
