import { set } from './nft-set.ts';

/**
 * What one task may ask of the node's DNS server. Each element of these sets holds the state of one
 * task's limit, so a flood costs its sender its own queries.
 *
 * No `ct count` among them: once a table with such elements was replaced, Linux 6.18 tracks no connection of the
 * network namespace any more, and every published port is refused. The server bounds its connections itself.
 */
const QUERIES_PER_SECOND = 1_000;
const QUERY_BURST = 200;
/** Queries over TCP are not packets: bytes bound them. 64 KiB are about 1,000 queries of 64 bytes. */
const TCP_KBYTES_PER_SECOND = 64;

export function dnsLimitSets(taskAddresses: readonly string[]): string[] {
  const { udp, tcp } = {
    udp: `limit rate over ${String(QUERIES_PER_SECOND)}/second burst ${String(QUERY_BURST)} packets`,
    tcp: `limit rate over ${String(TCP_KBYTES_PER_SECOND)} kbytes/second burst ${String(TCP_KBYTES_PER_SECOND)} kbytes`,
  };
  return [
    ...set('dns-udp-over', 'ipv4_addr', taskAddresses, udp),
    ...set('dns-tcp-over', 'ipv4_addr', taskAddresses, tcp),
  ];
}

/** Before any rule that accepts established connections: all queries from one port are one connection. */
export function dnsLimitChains(): string[] {
  return [
    'chain dns-udp {',
    '  ip saddr @dns-udp-over drop',
    '  accept',
    '}',
    '',
    'chain dns-tcp {',
    '  ip saddr @dns-tcp-over drop',
    '  accept',
    '}',
  ];
}
