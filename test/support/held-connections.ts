import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { runCommand } from '#kit/command-process.ts';

const WRITE_EVERY_MS = 300;

/** HTTP requests that never end, each on a connection of its own: what becomes of connections that were there before a fault. */
export class HeldConnections implements Disposable {
  readonly #open = new Set<Socket>();
  readonly #all: Socket[];
  readonly #timer: NodeJS.Timeout;

  private constructor(sockets: readonly Socket[]) {
    this.#all = [...sockets];
    this.#all.forEach(socket => { this.#open.add(socket.on('close', () => { this.#open.delete(socket); })); });
    this.#timer = setInterval(() => { this.#open.forEach(socket => { socket.write('X-Wait: 1\r\n'); }); }, WRITE_EVERY_MS);
  }

  /** Resolves once all of them are connected. */
  static async open(host: string, port: number, count: number): Promise<HeldConnections> {
    return new HeldConnections(await Promise.all(Array.from({ length: count }, async () => await new Promise<Socket>((resolve, reject) => {
      const socket = connect({ host, port }, () => {
        socket.off('error', reject).on('error', () => { /* it is closed then */ }).resume().write('GET / HTTP/1.1\r\n');
        resolve(socket);
      }).once('error', reject);
    }))));
  }

  /** Of those that are open, how many a node's kernel leads to `address`. */
  async leadingTo(address: string, netns: string): Promise<number> {
    const { stdout } = await runCommand('nsenter', [`--net=${netns}`, 'conntrack', '-L', '-p', 'tcp', '--reply-src', address]);
    return [...this.#open].filter(({ localPort }) => new RegExp(` dport=${String(localPort)} `).test(stdout)).length;
  }

  get open(): number {
    return this.#open.size;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#all.forEach(socket => { socket.destroy(); });
  }
}
