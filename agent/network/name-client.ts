import { lookup } from 'node:dns/promises';
import { splitAddress } from '#kit/address-parse.ts';
import type { Logger } from '#kit/logger.ts';
import { isIpv4Address } from '#model/addressing.ts';

/** `IPV4:PORT` of each `HOST:PORT`, sorted, without repeats. A host without an IPv4 address is left out. */
export async function resolveEndpoints(endpoints: readonly string[], log: Logger): Promise<readonly string[]> {
  const resolved = await Promise.all([...new Set(endpoints)].map(async endpoint => await addressesOf(endpoint).catch((error: unknown) => {
    log.warn({ endpoint, err: error }, 'endpoint has no IPv4 address; it is not closed to tasks by its own port until the next session');
    return [];
  })));
  return [...new Set(resolved.flat())].sort();
}

async function addressesOf(endpoint: string): Promise<readonly string[]> {
  const { host, port } = splitAddress(endpoint);
  const addresses = isIpv4Address(host) ? [host] : (await lookup(host, { all: true, family: 4 })).map(({ address }) => address);
  return addresses.map(address => `${address}:${String(port)}`);
}
