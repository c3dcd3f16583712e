/** Programs that tests run in namespaces of slots and nodes: a server that says who it is and whom it sees, a client that connects when told. */
import type { ChildProcess } from 'node:child_process';
import { eventually } from './node-namespaces.ts';
import type { NodeCluster } from './node-namespaces.ts';

/** An answer comes within this on a machine that is busy with other things. */
const ANSWER_LIMIT_MS = 10_000;
/** Silence this long is none at all. */
const SILENCE_MS = 1_500;

const SERVER = (name: string, port: number): string => `
  import net from 'node:net'; import dgram from 'node:dgram';
  const answer = (address) => ${JSON.stringify(name)} + ' ' + address;
  const udp = dgram.createSocket('udp4').on('message', (_, from) => udp.send(answer(from.address), from.port, from.address));
  udp.bind(${String(port)}, () => net.createServer(socket => { socket.on('error', () => {}); socket.end(answer(socket.remoteAddress.replace('::ffff:', ''))); })
    .listen(${String(port)}, '0.0.0.0', () => console.log('ready')));`;

const CLIENT = `
  import net from 'node:net'; import dgram from 'node:dgram'; import { createInterface } from 'node:readline';
  const tell = (id, text) => console.log(JSON.stringify({ id, text }));
  createInterface({ input: process.stdin }).on('line', line => {
    const { id, protocol, host, port, localPort, timeoutMs } = JSON.parse(line);
    if (protocol === 'udp') {
      const socket = dgram.createSocket('udp4').on('message', data => { tell(id, String(data)); socket.close(); }).on('error', error => tell(id, error.code));
      socket.connect(port, host, () => socket.send('x'));
      setTimeout(() => tell(id, 'TIMEOUT'), timeoutMs).unref();
      return;
    }
    let text = '';
    const socket = net.connect({ host, port, localPort, timeout: timeoutMs });
    socket.on('data', data => { text += data; }).on('end', () => tell(id, text)).on('error', error => tell(id, error.code))
      .on('timeout', () => { tell(id, 'TIMEOUT'); socket.destroy(); });
  });`;

/** Resolves when it listens, tcp and udp, on all addresses of the namespace. */
export async function startServer(cluster: NodeCluster, networkNamespacePath: string, name: string, port: number): Promise<ChildProcess> {
  const { child, lines } = cluster.startIn(networkNamespacePath, SERVER(name, port));
  await eventually(`server ${name}`, () => lines.includes('ready') ? true : undefined);
  return child;
}

export class TestClient {
  readonly #child: ChildProcess;
  readonly #lines: readonly string[];
  #seen = 0;
  readonly #answers = new Map<number, string>();
  #nextId = 1;

  constructor(cluster: NodeCluster, networkNamespacePath: string) {
    const { child, lines } = cluster.startIn(networkNamespacePath, CLIENT);
    this.#child = child;
    this.#lines = lines;
    child.stdout?.setMaxListeners(0);
  }

  /** What the server said, or the error's code: `ECONNREFUSED`, ...; `TIMEOUT` where nothing came. */
  async ask(host: string, port: number, protocol: 'tcp' | 'udp' = 'tcp', localPort?: number): Promise<string> {
    return await this.#ask({ host, port, localPort, protocol, timeoutMs: ANSWER_LIMIT_MS });
  }

  /** The same of a place that should not answer. */
  async askInVain(host: string, port: number, localPort?: number): Promise<string> {
    return await this.#ask({ host, port, localPort, protocol: 'tcp', timeoutMs: SILENCE_MS });
  }

  async #ask(request: { readonly host: string; readonly port: number; readonly localPort: number | undefined; readonly protocol: 'tcp' | 'udp'; readonly timeoutMs: number }): Promise<string> {
    const id = this.#nextId;
    this.#nextId += 1;
    this.#child.stdin?.write(`${JSON.stringify({ id, ...request })}\n`);
    for (;;) {
      for (; this.#seen < this.#lines.length; this.#seen += 1) {
        const { id: of, text } = JSON.parse(this.#lines[this.#seen] ?? '') as { readonly id: number; readonly text: string };
        this.#answers.set(of, text);
      }
      const answer = this.#answers.get(id);
      if (answer !== undefined) {
        return answer;
      }
      await new Promise(resolve => this.#child.stdout?.once('data', resolve));
    }
  }
}
