/** IPv4 and IPv6 addresses and IPv4 networks, as text. */
import { quoted } from './printable.ts';

const OCTET = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);

export function isIpv4(text: string): boolean {
  return IPV4.test(text);
}

/** Source: RFC 4291 section 2.2; the form with an embedded IPv4 address is not taken. */
export function isIpv6(text: string): boolean {
  const halves = text.split('::');
  if (halves.length > 2) {
    return false;
  }
  const groups = halves.flatMap(half => (half === '' ? [] : half.split(':')));
  const isCount = halves.length === 2 ? groups.length <= 7 : groups.length === 8;
  return isCount && groups.every(group => /^[0-9a-fA-F]{1,4}$/.test(group));
}

/** What is wrong with an IPv4 network `10.0.0.0/8`, or undefined. */
export function findNetworkProblem(text: string): string | undefined {
  const match = /^([^/]+)\/(\d{1,2})$/.exec(text);
  const [, address = '', length = ''] = match ?? [];
  const bits = Number(length);
  if (match === null || !isIpv4(address) || bits > 32) {
    return `${quoted(text)} is not an IP network such as 10.0.0.0/8`;
  }
  const value = address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
  return value % 2 ** (32 - bits) === 0 ? undefined : `${quoted(text)} is not an IP network: it has bits set behind /${length}`;
}
