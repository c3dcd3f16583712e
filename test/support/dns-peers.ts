/** Programs that tests run in a task's network namespace: floods of DNS queries, and a client that measures its answers. */
import { eventually } from './node-namespaces.ts';
import type { NodeCluster } from './node-namespaces.ts';

export interface Flood {
  readonly sent: number;
  readonly answered: number;
  /** From the first query to the last answer. */
  readonly elapsedMs: number;
}

const COMMON = (gateway: string, name: string): string => `
  import dgram from 'node:dgram'; import net from 'node:net'; import { setTimeout as sleep } from 'node:timers/promises';
  const GATEWAY = ${JSON.stringify(gateway)};
  const labels = ${JSON.stringify(name)}.split('.').map(label => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  const QUERY = Buffer.concat([Buffer.from([0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]), ...labels, Buffer.from([0, 0, 1, 0, 1])]);
  const say = value => console.log(JSON.stringify(value));`;

/** As fast as it goes, from one port: to the node's firewall that is one established connection. */
const UDP_FLOOD = (count: number): string => `
  const socket = dgram.createSocket('udp4');
  let answered = 0; let lastMs = 0; const firstMs = performance.now();
  socket.on('message', () => { answered += 1; lastMs = performance.now(); });
  await new Promise(resolve => socket.connect(53, GATEWAY, resolve));
  for (let sent = 0; sent < ${String(count)}; sent += 50) {
    for (let one = 0; one < 50; one += 1) socket.send(QUERY);
    await sleep(5);
  }
  await sleep(500);
  say({ sent: ${String(count)}, answered, elapsedMs: lastMs - firstMs });`;

/** One connection after another on each of four lanes, 50 queries at once on each, for a few seconds. */
const TCP_FLOOD = (durationMs: number): string => `
  const framed = Buffer.concat([Buffer.from([0, QUERY.length]), QUERY]);
  let sent = 0; let received = 0; let answerBytes = 0; const firstMs = performance.now();
  const once = async () => await new Promise(resolve => {
    const socket = net.connect({ host: GATEWAY, port: 53, timeout: 2000 });
    let left = 0;
    socket.on('connect', () => { sent += 50; socket.write(Buffer.concat(Array.from({ length: 50 }, () => framed))); });
    socket.on('data', data => { received += data.length; left += data.length; if (answerBytes === 0) answerBytes = data.readUInt16BE(0) + 2; if (left >= 50 * answerBytes) socket.destroy(); });
    socket.on('timeout', () => socket.destroy()).on('error', () => {}).on('close', resolve);
  });
  const lane = async () => { while (performance.now() - firstMs < ${String(durationMs)}) await once(); };
  await Promise.all([lane(), lane(), lane(), lane()]);
  say({ sent, answered: Math.floor(received / Math.max(1, answerBytes)), elapsedMs: performance.now() - firstMs });`;

/** Answer times of one query after another, sorted; a query without an answer counts with its limit. */
const MEASURE = (count: number): string => `
  const times = [];
  for (let query = 0; query < ${String(count)}; query += 1) {
    const socket = dgram.createSocket('udp4');
    const startMs = performance.now();
    await new Promise(resolve => {
      const limit = setTimeout(resolve, 5000);
      socket.on('message', () => { clearTimeout(limit); resolve(); });
      socket.send(QUERY, 53, GATEWAY);
    });
    times.push(performance.now() - startMs);
    socket.close();
    await sleep(5);
  }
  say(times.sort((one, other) => one - other));`;

/** Runs `program` in the namespace and gives what it prints first. */
async function firstLine(cluster: NodeCluster, networkNamespacePath: string, program: string): Promise<unknown> {
  const { lines } = cluster.startIn(networkNamespacePath, program);
  return JSON.parse(await eventually('what the program prints', () => lines[0], 120_000));
}

/** Programs against the server on `gateway`, about `name`. */
export class DnsPeers {
  readonly #cluster: NodeCluster;
  readonly #common: string;

  constructor(cluster: NodeCluster, gateway: string, name: string) {
    this.#cluster = cluster;
    this.#common = COMMON(gateway, name);
  }

  async floodUdp(networkNamespacePath: string, count: number): Promise<Flood> {
    return await firstLine(this.#cluster, networkNamespacePath, this.#common + UDP_FLOOD(count)) as Flood;
  }

  async floodTcp(networkNamespacePath: string, durationMs: number): Promise<Flood> {
    return await firstLine(this.#cluster, networkNamespacePath, this.#common + TCP_FLOOD(durationMs)) as Flood;
  }

  async p99Ms(networkNamespacePath: string, count: number): Promise<number> {
    const times = await firstLine(this.#cluster, networkNamespacePath, this.#common + MEASURE(count)) as readonly number[];
    return times[Math.floor(times.length * 0.99)] ?? 0;
  }
}
