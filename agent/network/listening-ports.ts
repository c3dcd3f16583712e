/** Sockets of the machine's own processes on ports, out of the kernel's tables. */

/** A socket that a published port would be taken from. */
export interface PortHolder {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  /** Of the socket; it names the process that has it open. */
  readonly inode: number;
}

/** `TCP_LISTEN`, and `TCP_CLOSE` as which an unconnected UDP socket shows. Source: include/net/tcp_states.h */
const WAITING_STATES = { tcp: '0A', udp: '07' } as const;

/** Who waits on ports in a table of /proc/net/{tcp,tcp6,udp,udp6}. Source: proc_pid_net(5); Documentation/networking/proc_net_tcp.rst */
export function portHolders(protocol: 'tcp' | 'udp', table: string): readonly PortHolder[] {
  return table.split('\n').slice(1).flatMap(line => {
    const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/);
    const port = Number.parseInt(local.slice(local.lastIndexOf(':') + 1), 16);
    return state === WAITING_STATES[protocol] && port > 0 ? [{ protocol, port, inode: Number(inode) }] : [];
  });
}
