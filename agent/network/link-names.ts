import { subnetPrefix } from '#model/addressing.ts';

/** Longest name of a Linux network link. Source: IFNAMSIZ in linux/if.h, less the final zero. */
const MAX_LINK_NAME_LENGTH = 15;
const SCOPE = /^[a-z][a-z0-9]*$/;
/** Longest tail after the scope: `t254`. */
const LONGEST_TAIL_LENGTH = 4;
/** Ids of one user namespace. */
export const IDS_PER_SLOT = 65_536;

/** Names of everything one agent has in a network namespace; `scope` keeps two agents in one namespace apart. */
export interface NetworkNames {
  readonly bridge: string;
  readonly vxlan: string;
  /** Followed by the host number: the link of one task. */
  readonly taskLinkPrefix: string;
  /** nft table of the rules that only the subnet decides; in families ip and bridge. */
  readonly baseTable: string;
  /** nft table of the rules that follow the endpoints. */
  readonly proxyTable: string;
}

/** @throws RangeError when `scope` is no lower-case word of at most 11 characters */
export function networkNames(scope: string): NetworkNames {
  if (!SCOPE.test(scope) || scope.length > MAX_LINK_NAME_LENGTH - LONGEST_TAIL_LENGTH) {
    throw new RangeError(`network scope ${JSON.stringify(scope)} is not a lower-case word of at most ${String(MAX_LINK_NAME_LENGTH - LONGEST_TAIL_LENGTH)} characters`);
  }
  return {
    bridge: `${scope}br`,
    vxlan: `${scope}vx`,
    taskLinkPrefix: `${scope}t`,
    baseTable: `gantry-${scope}`,
    proxyTable: `gantry-${scope}-services`,
  };
}

/** The node's own address on the vxlan: host number 0 of its subnet. Peers route the whole /24 to it. */
export function vxlanAddress(subnetIndex: number): string {
  return `${subnetPrefix(subnetIndex)}.0`;
}

/** A locally administered MAC that follows from the address, so that nobody has to tell it to anybody. Source: IEEE 802c, second bit of the first octet. */
export function macOfAddress(address: string): string {
  const octets = address.split('.').map(octet => Number(octet).toString(16).padStart(2, '0'));
  return `02:67:${octets.join(':')}`;
}

/** Slot ids are `HOSTNUMBER-RANDOM`: the number says which names it has, the rest makes it unique for ever. */
export function slotId(hostNumber: number, suffix: string): string {
  return `${String(hostNumber)}-${suffix}`;
}

/** The host number in a slot id; undefined when it is none of ours. */
export function hostNumberOfSlot(id: string): number | undefined {
  const match = /^(\d{1,3})-[a-z0-9]+$/.exec(id);
  return match === null ? undefined : Number(match[1]);
}
