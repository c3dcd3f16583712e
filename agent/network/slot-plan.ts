import { macOfAddress } from './link-names.ts';

/** One task's link as `ip -batch` needs it. */
export interface SlotLink {
  readonly link: string;
  readonly bridge: string;
  readonly networkNamespacePath: string;
  readonly address: string;
  readonly gateway: string;
  readonly mtuBytes: number;
}

/**
 * Makes the veth pair. The node's end is an isolated port: tasks of one node reach each other only through the node's IP layer,
 * where the rules are. Source: bridge(8), "isolated".
 */
export function hostLinkLines(slot: SlotLink): string[] {
  const mtu = String(slot.mtuBytes);
  return [
    `link add ${slot.link} mtu ${mtu} type veth peer name eth0 address ${macOfAddress(slot.address)} mtu ${mtu} netns ${slot.networkNamespacePath}`,
    `link set ${slot.link} addrgenmode none`,
    `link set ${slot.link} master ${slot.bridge}`,
    `link set ${slot.link} type bridge_slave isolated on`,
    `link set ${slot.link} up`,
  ];
}

/** Inside the slot: a /32 address, so that everything else is beyond the gateway. */
export function taskLinkLines(slot: SlotLink): string[] {
  return [
    'link set lo up',
    'link set eth0 addrgenmode none',
    `address add ${slot.address}/32 dev eth0`,
    'link set eth0 up',
    `route add ${slot.gateway} dev eth0 scope link`,
    `route add default via ${slot.gateway} dev eth0`,
  ];
}

/**
 * Settings of the slot's namespace: no router advertisements, and ping without NET_RAW for every id of the slot's user namespace.
 *
 * Source: Documentation/networking/ip-sysctl.rst, accept_ra and ping_group_range (ids as the writer, the agent, sees them)
 */
export function slotSettings(hostBase: number, idCount: number): string[] {
  return [
    'net.ipv6.conf.all.accept_ra=0',
    'net.ipv6.conf.default.accept_ra=0',
    `net.ipv4.ping_group_range=${String(hostBase)} ${String(hostBase + idCount - 1)}`,
  ];
}
