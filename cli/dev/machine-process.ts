/** What a local cluster needs to know of the machine before it is made: free ports, free addresses, who holds a port. */
import { createServer } from 'node:net';
import { requireCommand, runCommand } from '#kit/command-process.ts';
import { ClusterError } from '#model/errors.ts';
import { PORT_BASE, UNDERLAY_COUNT, UNDERLAY_PREFIX } from './layout.ts';

/** Ports below the ephemeral range, so that no outgoing connection takes one meanwhile. Source: ip-sysctl.rst, ip_local_port_range */
const PORT_LIMIT = 32_768;

/** The lowest free TCP ports of the machine from PORT_BASE on, none of `taken`. @throws ClusterError RESOURCE_EXHAUSTED */
export async function findFreePorts(count: number, taken: ReadonlySet<number>): Promise<readonly number[]> {
  const free: number[] = [];
  for (let port = PORT_BASE; free.length < count; port += 1) {
    if (port >= PORT_LIMIT) {
      throw new ClusterError('RESOURCE_EXHAUSTED', `no ${String(count)} free TCP ports between ${String(PORT_BASE)} and ${String(PORT_LIMIT)}`);
    }
    if (!taken.has(port) && await isFree(port)) {
      free.push(port);
    }
  }
  return free;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return await new Promise<boolean>(resolve => {
    server.once('error', () => { resolve(false); });
    server.listen({ port, host: '0.0.0.0', exclusive: true }, () => { server.close(() => { resolve(true); }); });
  });
}

/** Third octet of the lowest underlay network 10.161.X.0/24 that no link of the machine is in, none of `taken`. @throws ClusterError RESOURCE_EXHAUSTED */
export async function findFreeUnderlay(taken: ReadonlySet<number>): Promise<number> {
  const addresses = await requireCommand('ip', ['-o', '-4', 'addr', 'show']);
  for (let index = 0; index < UNDERLAY_COUNT; index += 1) {
    if (!taken.has(index) && !addresses.includes(` ${UNDERLAY_PREFIX}.${String(index)}.`)) {
      return index;
    }
  }
  throw new ClusterError('RESOURCE_EXHAUSTED', `${UNDERLAY_PREFIX}.0.0/24 to ${UNDERLAY_PREFIX}.${String(UNDERLAY_COUNT - 1)}.0/24 are in use on this machine; see: clusterctl dev down --all`);
}

/** What listens on the TCP port of 127.0.0.1 or of every address; undefined when nothing does. Source: ss(8) */
export async function findPortHolder(port: number): Promise<string | undefined> {
  const { stdout } = await runCommand('ss', ['-Hltnp', `sport = :${String(port)}`]);
  const line = stdout.split('\n').find(text => text.trim() !== '');
  return line === undefined ? undefined : /users:\(\("([^"]+)",pid=(\d+)/.exec(line)?.slice(1, 3).join(', pid ') ?? 'another program';
}
