import { open, readFile, readdir, readlink } from 'node:fs/promises';
import type { PublishedPort } from '#model/service.ts';
import { listeningPorts, parseEphemeral, portHolders } from './listening-ports.ts';
import type { PortHolder } from './listening-ports.ts';

/** Of each table: listeners come first in those of TCP, so that connections behind them cost nothing. */
const MAX_TABLE_BYTES = 262_144;
/** Source: /proc/net/tcp has a record of 150 bytes a line */
const READ_BYTES = 16_384;
const EPHEMERAL_FILE = '/proc/sys/net/ipv4/ip_local_port_range';

/**
 * Which of the ports that a task publishes on its node (`mode: host`) a process of the machine has already, in words; undefined: none. The rules
 * of published ports come before sockets: without a look, that process would silently lose its connections.
 */
export async function takenHostPort(ports: readonly PublishedPort[]): Promise<string | undefined> {
  const wanted = ports.filter(port => port.mode === 'host' && port.published !== undefined);
  if (wanted.length === 0) {
    return undefined;
  }
  const holder = (await allHolders().catch(() => [])).find(one => wanted.some(port => port.protocol === one.protocol && port.published === one.port));
  return holder === undefined ? undefined : `host port ${String(holder.port)}/${holder.protocol} is in use by another process${await processOf(holder)}`;
}

/** Ports on which processes of the machine listen, as `tcp/22`; without `own`, which tasks have there. */
export async function readListeningPorts(own: ReadonlySet<string>): Promise<readonly string[]> {
  return listeningPorts(await allHolders(), parseEphemeral(await readFile(EPHEMERAL_FILE, 'utf8').catch(() => '')), own);
}

/** In the network namespace of this process. */
async function allHolders(): Promise<readonly PortHolder[]> {
  const tables = (['tcp', 'udp'] as const).flatMap(protocol => [protocol, `${protocol}6`].map(async name => portHolders(protocol, await readTable(name))));
  return (await Promise.all(tables)).flat();
}

/** Up to the first connection of a table of TCP, and to the last whole line of what may be read. */
async function readTable(name: string): Promise<string> {
  const file = await open(`/proc/self/net/${name}`).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return undefined; // without IPv6 one is not there
  });
  if (file === undefined) return '';
  try {
    let table = '';
    while (table.length < MAX_TABLE_BYTES) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(READ_BYTES), 0, READ_BYTES);
      table += buffer.toString('latin1', 0, bytesRead);
      if (bytesRead === 0 || name.startsWith('tcp') && hasConnection(table.slice(table.lastIndexOf('\n', table.length - bytesRead) + 1))) break;
    }
    return table.slice(0, table.lastIndexOf('\n') + 1);
  } finally {
    await file.close();
  }
}

/** Listeners are state 0A; the line of titles has no state. Source: include/net/tcp_states.h */
function hasConnection(lines: string): boolean {
  return lines.split('\n').some(line => /^ *\d+: \S+ \S+ (?!0A)\S\S /.test(line));
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
