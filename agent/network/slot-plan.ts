import { macOfAddress } from './link-names.ts';
import { addressAttribute, attribute, byteAttribute, nested, numberAttribute, textAttribute } from './netlink-message.ts';
import type { NetlinkRequest } from './netlink-message.ts';

/** One task's link. */
export interface SlotLink {
  readonly link: string;
  /** Interface index of the bridge. */
  readonly bridgeIndex: number;
  readonly address: string;
  readonly gateway: string;
  readonly mtuBytes: number;
}

/** The task's end of its link, inside the slot. */
export const TASK_LINK = 'eth0';
/** The first link of every network namespace. */
const LOOPBACK_INDEX = 1;

// Source: include/uapi/linux/{rtnetlink,if_link,if_addr,veth,in6,socket}.h, include/uapi/linux/netlink.h
const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_NEWADDR = 20;
const RTM_NEWROUTE = 24;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;
const AF_UNSPEC = 0;
const AF_INET = 2;
const AF_INET6 = 10;
const IFF_UP = 1;
const IFLA = { ADDRESS: 1, IFNAME: 3, MTU: 4, MASTER: 10, LINKINFO: 18, AF_SPEC: 26, GROUP: 27, NET_NS_FD: 28 } as const;
const INFO = { KIND: 1, DATA: 2, SLAVE_KIND: 4, SLAVE_DATA: 5 } as const;
const VETH_INFO_PEER = 1;
const IFLA_BRPORT_ISOLATED = 33;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const IN6_ADDR_GEN_MODE_NONE = 1;
const IFA = { ADDRESS: 1, LOCAL: 2 } as const;
const RTA = { DST: 1, OIF: 4, GATEWAY: 5 } as const;
const RT_TABLE_MAIN = 254;
const RTPROT_BOOT = 3;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
const RTN_UNICAST = 1;
const HOST_PREFIX_BITS = 32;
const EEXIST = 17;
const ENODEV = 19;
/** A link is in it only while it is being deleted. */
const DOOMED_GROUP = 0x676e_7472;

/**
 * Makes the veth pair, the task's end in the network namespace that the descriptor names. The node's end is an isolated port: tasks of one node
 * reach each other only through the node's IP layer, where the rules are. Source: bridge(8), "isolated".
 */
export function hostLinkRequests(slot: SlotLink, networkNamespaceFd: number): readonly NetlinkRequest[] {
  const peer = Buffer.concat([
    linkHeader(0, 0), textAttribute(IFLA.IFNAME, TASK_LINK), attribute(IFLA.ADDRESS, macBytes(slot.address)), numberAttribute(IFLA.MTU, slot.mtuBytes),
    numberAttribute(IFLA.NET_NS_FD, networkNamespaceFd),
  ]);
  return [
    {
      what: `link add ${slot.link}`, type: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL,
      payload: Buffer.concat([
        linkHeader(0, 0), textAttribute(IFLA.IFNAME, slot.link), numberAttribute(IFLA.MTU, slot.mtuBytes),
        nested(IFLA.LINKINFO, textAttribute(INFO.KIND, 'veth'), nested(INFO.DATA, attribute(VETH_INFO_PEER, peer))),
      ]),
    },
    {
      what: `link set ${slot.link} master`, type: RTM_NEWLINK, flags: 0,
      payload: Buffer.concat([linkHeader(0, 0), textAttribute(IFLA.IFNAME, slot.link), numberAttribute(IFLA.MASTER, slot.bridgeIndex), noLinkLocalAddress()]),
    },
    {
      what: `link set ${slot.link} isolated up`, type: RTM_NEWLINK, flags: 0,
      payload: Buffer.concat([
        linkHeader(0, IFF_UP), textAttribute(IFLA.IFNAME, slot.link),
        nested(IFLA.LINKINFO, textAttribute(INFO.SLAVE_KIND, 'bridge'), nested(INFO.SLAVE_DATA, byteAttribute(IFLA_BRPORT_ISOLATED, 1))),
      ]),
    },
  ];
}

/** Inside the slot: a /32 address, so that everything else is beyond the gateway. */
export function taskLinkRequests(slot: SlotLink, taskLinkIndex: number): readonly NetlinkRequest[] {
  return [
    { what: 'link set lo up', type: RTM_NEWLINK, flags: 0, payload: linkHeader(LOOPBACK_INDEX, IFF_UP) },
    { what: 'link set eth0 addrgenmode', type: RTM_NEWLINK, flags: 0, payload: Buffer.concat([linkHeader(taskLinkIndex, 0), noLinkLocalAddress()]) },
    {
      what: `address add ${slot.address}`, type: RTM_NEWADDR, flags: NLM_F_CREATE | NLM_F_EXCL, toleratedErrno: EEXIST,
      payload: Buffer.concat([addressHeader(taskLinkIndex), addressAttribute(IFA.LOCAL, slot.address), addressAttribute(IFA.ADDRESS, slot.address)]),
    },
    { what: 'link set eth0 up', type: RTM_NEWLINK, flags: 0, payload: linkHeader(taskLinkIndex, IFF_UP) },
    {
      what: `route add ${slot.gateway}`, type: RTM_NEWROUTE, flags: NLM_F_CREATE | NLM_F_EXCL,
      payload: Buffer.concat([routeHeader(HOST_PREFIX_BITS, RT_SCOPE_LINK), addressAttribute(RTA.DST, slot.gateway), numberAttribute(RTA.OIF, taskLinkIndex)]),
    },
    {
      what: `route add default via ${slot.gateway}`, type: RTM_NEWROUTE, flags: NLM_F_CREATE | NLM_F_EXCL,
      payload: Buffer.concat([routeHeader(0, RT_SCOPE_UNIVERSE), addressAttribute(RTA.GATEWAY, slot.gateway), numberAttribute(RTA.OIF, taskLinkIndex)]),
    },
  ];
}

/**
 * Deletes the links, those that are there, at once: one after another each would wait for every CPU to forget it.
 *
 * Source: net/core/rtnetlink.c, rtnl_group_dellink; net/core/dev.c, unregister_netdevice_many
 */
export function deleteLinkRequests(links: readonly string[]): readonly NetlinkRequest[] {
  return [
    ...links.map(link => ({
      what: `link set ${link} group`, type: RTM_NEWLINK, flags: 0, toleratedErrno: ENODEV,
      payload: Buffer.concat([linkHeader(0, 0), textAttribute(IFLA.IFNAME, link), numberAttribute(IFLA.GROUP, DOOMED_GROUP)]),
    })),
    { what: `link delete ${links.join(' ')}`, type: RTM_DELLINK, flags: 0, toleratedErrno: ENODEV, payload: Buffer.concat([linkHeader(0, 0), numberAttribute(IFLA.GROUP, DOOMED_GROUP)]) },
  ];
}

/**
 * Settings of the slot's namespace below /proc/sys: no router advertisements, and ping without NET_RAW for every id of the slot's user namespace.
 *
 * Source: Documentation/networking/ip-sysctl.rst, accept_ra and ping_group_range (ids as the writer, the agent, sees them)
 */
export function slotSettings(hostBase: number, idCount: number): ReadonlyMap<string, string> {
  return new Map([
    ['net/ipv6/conf/all/accept_ra', '0'],
    ['net/ipv6/conf/default/accept_ra', '0'],
    ['net/ipv4/ping_group_range', `${String(hostBase)} ${String(hostBase + idCount - 1)}`],
  ]);
}

/** No IPv6 link-local address. */
function noLinkLocalAddress(): Buffer {
  return nested(IFLA.AF_SPEC, nested(AF_INET6, byteAttribute(IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE)));
}

/** struct ifinfomsg: family, pad, type, index, flags, change. Only the flags given change. */
function linkHeader(index: number, flags: number): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt8(AF_UNSPEC, 0);
  header.writeInt32LE(index, 4);
  header.writeUInt32LE(flags, 8);
  header.writeUInt32LE(flags, 12);
  return header;
}

/** struct ifaddrmsg: family, prefix length, flags, scope, index. */
function addressHeader(index: number): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(AF_INET, 0);
  header.writeUInt8(HOST_PREFIX_BITS, 1);
  header.writeUInt8(RT_SCOPE_UNIVERSE, 3);
  header.writeUInt32LE(index, 4);
  return header;
}

/** struct rtmsg: family, destination and source bits, tos, table, protocol, scope, type, flags. */
function routeHeader(destinationBits: number, scope: number): Buffer {
  return Buffer.from([AF_INET, destinationBits, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, scope, RTN_UNICAST, 0, 0, 0, 0]);
}

function macBytes(address: string): Uint8Array {
  return Uint8Array.from(macOfAddress(address).split(':').map(octet => Number.parseInt(octet, 16)));
}
