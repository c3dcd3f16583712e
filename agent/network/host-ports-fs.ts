import { readFile, readdir, readlink } from 'node:fs/promises';
import type { PublishedPort } from '#model/service.ts';
import { portHolders } from './listening-ports.ts';
import type { PortHolder } from './listening-ports.ts';

/**
 * Which of the ports that a task publishes on its node (`mode: host`) a process of the machine has already, in words; undefined: none. The rules
 * of published ports come before sockets: without a look, that process would silently lose its connections.
 */
export async function takenHostPort(ports: readonly PublishedPort[]): Promise<string | undefined> {
  const wanted = ports.filter(port => port.mode === 'host' && port.published !== undefined);
  if (wanted.length === 0) {
    return undefined;
  }
  const holders = (await Promise.all((['tcp', 'udp'] as const).map(async protocol => await holdersOf(protocol)))).flat();
  const holder = holders.find(one => wanted.some(port => port.protocol === one.protocol && port.published === one.port));
  return holder === undefined ? undefined : `host port ${String(holder.port)}/${holder.protocol} is in use by another process${await processOf(holder)}`;
}

/** In the network namespace of this process. */
async function holdersOf(protocol: 'tcp' | 'udp'): Promise<readonly PortHolder[]> {
  const tables = await Promise.all([protocol, `${protocol}6`].map(name => readFile(`/proc/self/net/${name}`, 'utf8').catch(() => ''))); // without IPv6 one is not there
  return tables.flatMap(table => portHolders(protocol, table));
}

/** ` (NAME, pid PID)`; empty for a socket that no process shows. */
async function processOf({ inode }: PortHolder): Promise<string> {
  for (const pid of (await readdir('/proc')).filter(name => /^\d+$/.test(name))) {
    const files = await readdir(`/proc/${pid}/fd`).catch(() => []); // gone meanwhile
    const links = await Promise.all(files.map(file => readlink(`/proc/${pid}/fd/${file}`).catch(() => '')));
    if (links.includes(`socket:[${String(inode)}]`)) {
      return ` (${(await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim()}, pid ${pid})`;
    }
  }
  return '';
}
