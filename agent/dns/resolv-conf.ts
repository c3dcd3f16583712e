import { ZONE } from './host-names.ts';

/**
 * Names with fewer dots are tried with the search path first. `db-0.db.shop.prod` has three: with fewer, resolvers that try a name with enough
 * dots only as it is (musl) would never find it in the zone.
 */
const SEARCH_BELOW_DOTS = 4;

/** /etc/resolv.conf of a task: `web`, `web.shop` and `web.shop.prod` all find the service. Source: resolv.conf(5). */
export function renderResolvConf(gatewayAddress: string, namespace: string, app: string): string {
  return [
    `nameserver ${gatewayAddress}`,
    `search ${app}.${namespace}.${ZONE} ${namespace}.${ZONE} ${ZONE}`,
    `options ndots:${String(SEARCH_BELOW_DOTS)}`,
    '',
  ].join('\n');
}

/** IPv4 name servers of a resolv.conf, in order. */
export function parseNameservers(text: string): readonly string[] {
  return text.split('\n').flatMap(line => {
    const match = /^\s*nameserver\s+(\d{1,3}(?:\.\d{1,3}){3})\s*$/.exec(line);
    return match?.[1] === undefined ? [] : [match[1]];
  });
}
