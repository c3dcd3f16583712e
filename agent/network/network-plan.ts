import { gatewayAddress, subnetCidr } from '#model/addressing.ts';
import type { PeerNode } from '#model/endpoints.ts';
import { macOfAddress, vxlanAddress } from './link-names.ts';
import type { NetworkNames } from './link-names.ts';

/** What the node's links are to be. */
export interface DesiredNetwork {
  readonly names: NetworkNames;
  readonly subnetIndex: number;
  readonly underlayAddress: string;
  /** MTU of bridge, vxlan and task links: the underlay's less the vxlan overhead. */
  readonly mtuBytes: number;
  readonly vxlanId: number;
  readonly vxlanPort: number;
  /** The other nodes; absent until the cluster named them: what an earlier agent set up stays then. */
  readonly peers?: readonly PeerNode[];
  readonly virtualIpRange: string;
}

export interface ObservedLink {
  readonly isUp: boolean;
  readonly mtuBytes: number;
  readonly mac: string;
  /** `ADDRESS/LENGTH` */
  readonly addresses: readonly string[];
  /** Only of a vxlan: `ID PORT LOCAL`. */
  readonly vxlanKey?: string;
}

/** What the kernel has of ours. */
export interface ObservedNetwork {
  readonly links: ReadonlyMap<string, ObservedLink>;
  /** `DESTINATION via GATEWAY` of routes over the vxlan; `DESTINATION` of those over the bridge. */
  readonly vxlanRoutes: ReadonlySet<string>;
  readonly bridgeRoutes: ReadonlySet<string>;
  /** `ADDRESS MAC` of permanent neighbours on the vxlan. */
  readonly neighbours: ReadonlySet<string>;
  /** `MAC UNDERLAY` of the vxlan's forwarding entries. */
  readonly forwarding: ReadonlySet<string>;
}

/** Lines for `ip -batch` and then for `bridge -batch`, in order; both empty when nothing differs. */
export interface NetworkPlan {
  readonly ipLines: readonly string[];
  readonly bridgeLines: readonly string[];
}

/** Operations that make the links, addresses, routes and forwarding entries equal `desired`. Planning again after applying gives nothing. */
export function planNetwork(desired: DesiredNetwork, observed: ObservedNetwork): NetworkPlan {
  const isVxlanNew = observed.links.get(desired.names.vxlan)?.vxlanKey !== vxlanKey(desired);
  const state = isVxlanNew ? { ...observed, vxlanRoutes: NONE, neighbours: NONE, forwarding: NONE } : observed;
  return {
    ipLines: [...bridgeLines(desired, observed), ...vxlanLines(desired, observed), ...virtualIpLines(desired, observed), ...routeLines(desired, state)],
    bridgeLines: forwardingLines(desired, state),
  };
}

/** Underlay addresses that may send to the node's vxlan, sorted. */
export function peerAddresses(desired: DesiredNetwork, observed: ObservedNetwork): readonly string[] {
  return [...new Set(desired.peers?.map(peer => peer.address) ?? [...observed.forwarding].map(entry => entry.split(' ')[1] ?? ''))].sort();
}

const NONE: ReadonlySet<string> = new Set();

function vxlanKey(desired: DesiredNetwork): string {
  return `${String(desired.vxlanId)} ${String(desired.vxlanPort)} ${desired.underlayAddress}`;
}

function bridgeLines(desired: DesiredNetwork, observed: ObservedNetwork): string[] {
  const { bridge } = desired.names;
  const link = observed.links.get(bridge);
  const gateway = gatewayAddress(desired.subnetIndex);
  const lines: string[] = [];
  if (link === undefined) {
    lines.push(`link add ${bridge} address ${macOfAddress(gateway)} type bridge stp_state 0 mcast_snooping 0`);
  }
  return [...lines, ...commonLines(bridge, link, { mtuBytes: desired.mtuBytes, address: `${gateway}/24` })];
}

function vxlanLines(desired: DesiredNetwork, observed: ObservedNetwork): string[] {
  const { vxlan } = desired.names;
  const link = observed.links.get(vxlan);
  const address = vxlanAddress(desired.subnetIndex);
  const isSame = link?.vxlanKey === vxlanKey(desired);
  const lines: string[] = [];
  if (!isSame) {
    if (link !== undefined) {
      lines.push(`link del ${vxlan}`);
    }
    lines.push(`link add ${vxlan} address ${macOfAddress(address)} type vxlan id ${String(desired.vxlanId)} dstport ${String(desired.vxlanPort)} local ${desired.underlayAddress} nolearning`);
  }
  return [...lines, ...commonLines(vxlan, isSame ? link : undefined, { mtuBytes: desired.mtuBytes, address: `${address}/32` })];
}

function commonLines(name: string, link: ObservedLink | undefined, wanted: { readonly mtuBytes: number; readonly address: string }): string[] {
  const lines: string[] = [];
  if (link?.mtuBytes !== wanted.mtuBytes) {
    lines.push(`link set ${name} mtu ${String(wanted.mtuBytes)}`);
  }
  for (const address of link?.addresses ?? []) {
    if (address !== wanted.address) {
      lines.push(`address del ${address} dev ${name}`);
    }
  }
  if (link === undefined || !link.addresses.includes(wanted.address)) {
    lines.push(`address add ${wanted.address} dev ${name}`);
  }
  if (link?.isUp !== true) {
    lines.push(`link set ${name} up`);
  }
  return lines;
}

/** So that programs of the node itself get a source address towards virtual IPs. */
function virtualIpLines(desired: DesiredNetwork, observed: ObservedNetwork): string[] {
  return observed.bridgeRoutes.has(desired.virtualIpRange) ? [] : [`route replace ${desired.virtualIpRange} dev ${desired.names.bridge}`];
}

function routeLines(desired: DesiredNetwork, observed: ObservedNetwork): string[] {
  if (desired.peers === undefined) {
    return [];
  }
  const { vxlan } = desired.names;
  const routes = new Set(desired.peers.map(peer => `${subnetCidr(peer.subnetIndex)} via ${vxlanAddress(peer.subnetIndex)}`));
  const neighbours = new Set(desired.peers.map(peer => `${vxlanAddress(peer.subnetIndex)} ${macOfAddress(vxlanAddress(peer.subnetIndex))}`));
  const lines: string[] = [];
  for (const gone of missing(observed.vxlanRoutes, routes)) {
    lines.push(`route del ${gone} dev ${vxlan} onlink`);
  }
  for (const gone of missing(observed.neighbours, neighbours)) {
    lines.push(`neighbour del ${gone.replace(' ', ' lladdr ')} dev ${vxlan}`);
  }
  for (const added of missing(neighbours, observed.neighbours)) {
    lines.push(`neighbour replace ${added.replace(' ', ' lladdr ')} dev ${vxlan} nud permanent`);
  }
  for (const added of missing(routes, observed.vxlanRoutes)) {
    lines.push(`route replace ${added} dev ${vxlan} onlink`);
  }
  return lines;
}

function forwardingLines(desired: DesiredNetwork, observed: ObservedNetwork): string[] {
  if (desired.peers === undefined) {
    return [];
  }
  const { vxlan } = desired.names;
  const entries = new Set(desired.peers.map(peer => `${macOfAddress(vxlanAddress(peer.subnetIndex))} ${peer.address}`));
  const line = (verb: string, entry: string): string => `fdb ${verb} ${entry.replace(' ', ` dev ${vxlan} dst `)}`;
  return [
    ...missing(observed.forwarding, entries).map(entry => line('del', entry)),
    ...missing(entries, observed.forwarding).map(entry => line('append', entry)),
  ];
}

/** Entries of `from` that are not in `other`, sorted. */
function missing(from: ReadonlySet<string>, other: ReadonlySet<string>): string[] {
  return [...from].filter(entry => !other.has(entry)).sort();
}
