/** Sockets of the machine's own processes on ports, out of the kernel's tables. */

/** A socket that a published port would be taken from. */
export interface PortHolder {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  /** Of the socket; it names the process that has it open. */
  readonly inode: number;
}

/** Ports that the kernel gives to sockets without a port of their own. */
export interface EphemeralPorts {
  readonly first: number;
  readonly last: number;
}

/** `TCP_LISTEN`, and `TCP_CLOSE` as which an unconnected UDP socket shows. Source: include/net/tcp_states.h */
const WAITING_STATES = { tcp: '0A', udp: '07' } as const;
/** Words of the address are in the order of the machine. Source: Documentation/networking/proc_net_tcp.rst */
const ANY_IPV6 = '0'.repeat(32);
const MAPPED_IPV4 = '0000000000000000FFFF0000';
/** Source: net.ipv4.ip_local_port_range, its default */
const DEFAULT_EPHEMERAL: EphemeralPorts = { first: 32_768, last: 60_999 };
/** Ports of one report. Their text stays below 5 KiB, which each heartbeat with a change has. */
export const MAX_LISTENING_PORTS = 512;

/**
 * Sockets in a table of /proc/net/{tcp,tcp6,udp,udp6} that wait on an address of the machine. Those on loopback or
 * on IPv6 alone are left out: a published port takes no traffic from them.
 *
 * Source: proc_pid_net(5); Documentation/networking/proc_net_tcp.rst
 */
export function portHolders(protocol: 'tcp' | 'udp', table: string): readonly PortHolder[] {
  return table.split('\n').slice(1).flatMap(line => {
    const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/);
    const colon = local.lastIndexOf(':');
    const port = Number.parseInt(local.slice(colon + 1), 16);
    return state === WAITING_STATES[protocol] && port > 0 && isReachable(local.slice(0, colon)) ? [{ protocol, port, inode: Number(inode) }] : [];
  });
}

function isReachable(address: string): boolean {
  if (address === ANY_IPV6) return true;
  const ipv4 = address.startsWith(MAPPED_IPV4) ? address.slice(MAPPED_IPV4.length) : address;
  return ipv4.length === 8 && !ipv4.endsWith('7F');
}

/** The two numbers of /proc/sys/net/ipv4/ip_local_port_range. */
export function parseEphemeral(text: string): EphemeralPorts {
  const [first = 0, last = 0] = text.trim().split(/\s+/).map(Number);
  return first > 0 && last >= first ? { first, last } : DEFAULT_EPHEMERAL;
}

/**
 * `tcp/22` of each port that has a holder, sorted, the lowest where there are too many. Left out are `own` ports, and
 * UDP ports that the kernel chose: they belong to clients, and come and go.
 */
export function listeningPorts(holders: readonly PortHolder[], ephemeral: EphemeralPorts, own: ReadonlySet<string>): readonly string[] {
  const lasting = holders.filter(({ protocol, port }) => protocol === 'tcp' || port < ephemeral.first || port > ephemeral.last);
  const names = lasting.toSorted((left, right) => left.port - right.port).map(({ protocol, port }) => `${protocol}/${String(port)}`);
  return [...new Set(names)].filter(name => !own.has(name)).slice(0, MAX_LISTENING_PORTS).sort();
}

/** What to report after two polls: a port comes when both have it, and goes when neither has it, so that short uses are no change. */
export function settledPorts(reported: readonly string[], before: readonly string[], now: readonly string[]): readonly string[] {
  const settled = new Set([...now.filter(port => before.includes(port)), ...reported.filter(port => before.includes(port) || now.includes(port))]);
  return [...settled].slice(0, MAX_LISTENING_PORTS).sort();
}
