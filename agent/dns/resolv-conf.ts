import type { DnsSpec } from '#model/service.ts';
import { ZONE } from './host-names.ts';

/**
 * Names with fewer dots use the search path first. `db-0.db.shop.prod` has three dots. Resolvers
 * that try a name with enough dots only unchanged (musl) would not find it with a smaller number.
 */
const SEARCH_BELOW_DOTS = 4;

/**
 * Renders /etc/resolv.conf of a task: `web`, `web.shop` and `web.shop.prod` resolve to the service.
 * Source: resolv.conf(5)
 */
export function renderResolvConf(gatewayAddress: string, namespace: string, app: string): string {
  return [
    `nameserver ${gatewayAddress}`,
    `search ${app}.${namespace}.${ZONE} ${namespace}.${ZONE} ${ZONE}`,
    `options ndots:${String(SEARCH_BELOW_DOTS)}`,
    '',
  ].join('\n');
}

/**
 * Puts servers and domains of the service first, and its options last, because the last option of a
 * name applies.
 * A resolver asks the next server only if one does not answer: with servers of its own, a service
 * finds names of the cluster only if those servers know them or do not answer. Source:
 * resolv.conf(5)
 */
export function withOwnDns(resolvConf: string, dns: DnsSpec): string {
  const lines = resolvConf.split('\n').filter(line => line !== '');
  const words = (keyword: string): readonly string[] => lines.filter(line => line.startsWith(`${keyword} `)).flatMap(line => line.split(' ').slice(1));
  const search = [...new Set([...dns.search, ...words('search')])];
  const options = [...words('options'), ...dns.options];
  return [
    ...dns.servers.map(server => `nameserver ${server}`),
    ...lines.filter(line => line.startsWith('nameserver ')),
    ...(search.length === 0 ? [] : [`search ${search.join(' ')}`]),
    ...(options.length === 0 ? [] : [`options ${options.join(' ')}`]),
    '',
  ].join('\n');
}

/** Returns the IPv4 name servers of a resolv.conf, in order. */
export function parseNameservers(text: string): readonly string[] {
  return text.split('\n').flatMap(line => {
    const match = /^\s*nameserver\s+(\d{1,3}(?:\.\d{1,3}){3})\s*$/.exec(line);
    return match?.[1] === undefined ? [] : [match[1]];
  });
}
