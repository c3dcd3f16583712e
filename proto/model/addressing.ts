/** The cluster's IPv4 plan: a /24 a node out of 10.128.0.0/11, virtual IPs out of 10.160.0.0/16. */
export const TASK_RANGE = '10.128.0.0/11';
export const VIRTUAL_IP_RANGE = '10.160.0.0/16';
/** /24 networks in TASK_RANGE. */
export const SUBNET_COUNT = 8192;
/** Host numbers of a node's /24 that tasks may have, one each: 1 is the bridge, 0 the node's vxlan address, 255 broadcast. */
export const FIRST_HOST_NUMBER = 2;
export const LAST_HOST_NUMBER = 254;
/** Tasks that a node has addresses for. One on the machine's network has an address too, where nothing listens. */
export const TASK_ADDRESSES = LAST_HOST_NUMBER - FIRST_HOST_NUMBER + 1;
/** Bytes a vxlan header over IPv4 costs. Source: RFC 7348 section 5 (14 + 20 + 8 + 8). */
export const VXLAN_OVERHEAD_BYTES = 50;

/** First three octets of the node's subnet, e.g. `10.128.3`. @throws RangeError outside 0..8191 */
export function subnetPrefix(subnetIndex: number): string {
  if (!Number.isInteger(subnetIndex) || subnetIndex < 0 || subnetIndex >= SUBNET_COUNT) {
    throw new RangeError(`subnet index ${String(subnetIndex)} is not in 0..${String(SUBNET_COUNT - 1)}`);
  }
  return `10.${String(128 + (subnetIndex >> 8))}.${String(subnetIndex & 255)}`;
}

/** `10.128.3.0/24`. */
export function subnetCidr(subnetIndex: number): string {
  return `${subnetPrefix(subnetIndex)}.0/24`;
}

/** The bridge's address, gateway and DNS server of the node's tasks: host number 1. */
export function gatewayAddress(subnetIndex: number): string {
  return `${subnetPrefix(subnetIndex)}.1`;
}

/** The `index`-th virtual IP (0..65533): 10.160.0.1 onwards. @throws RangeError outside */
export function virtualIp(index: number): string {
  if (!Number.isInteger(index) || index < 0 || index > 65_533) {
    throw new RangeError(`virtual IP index ${String(index)} is not in 0..65533`);
  }
  const host = index + 1;
  return `10.160.${String(host >> 8)}.${String(host & 255)}`;
}

/** True for four decimal numbers of 0..255 without leading zeros. What nodes report as addresses goes into rules of all nodes: it is checked where it is used. */
export function isIpv4Address(text: string): boolean {
  const octets = text.split('.');
  return octets.length === 4 && octets.every(octet => /^(?:0|[1-9]\d{0,2})$/.test(octet) && Number(octet) <= 255);
}

/** True for an IPv4 address in TASK_RANGE. */
export function isTaskAddress(text: string): boolean {
  const [first, second = 0] = text.split('.').map(Number);
  return isIpv4Address(text) && first === 10 && second >= 128 && second < 128 + SUBNET_COUNT / 256;
}
