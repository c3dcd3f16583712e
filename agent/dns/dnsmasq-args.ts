import { ZONE } from './host-names.ts';

export interface DnsmasqSettings {
  readonly gatewayAddress: string;
  readonly hostsDir: string;
  readonly pidFile: string;
  /** Name servers for all other names; if empty, such names are refused at once. */
  readonly upstreams: readonly string[];
  /** Account of the process after it has bound its socket. */
  readonly user: string;
}

/** Largest UDP answer that no path fragments. Source: DNS Flag Day 2020 */
const MAX_UDP_BYTES = 1232;

/**
 * Maximum of forwarded queries, each up to 10 s: one task with 1,000 queries per second cannot use
 * them up.
 */
const MAX_FORWARDED = 12_000;
/**
 * Each connection is a process; more than the 8 that one task may have
 * (agent/network/dns-limit-rules.ts).
 */
const MAX_TCP_CONNECTIONS = 64;

/**
 * Returns the arguments of dnsmasq. It reads no configuration of the machine. Names of the zone are
 * answered from the hosts files only: an unknown name does not exist, and an AAAA query for a known
 * one gets an empty answer. Source: dnsmasq(8)
 */
export function dnsmasqArgs(settings: DnsmasqSettings): readonly string[] {
  return [
    '--keep-in-foreground',
    '--conf-file=/dev/null',
    `--pid-file=${settings.pidFile}`,
    `--user=${settings.user}`,
    '--group=nogroup',
    `--listen-address=${settings.gatewayAddress}`,
    '--bind-interfaces',
    '--no-hosts',
    `--hostsdir=${settings.hostsDir}`,
    `--local=/${ZONE}/`,
    '--no-resolv',
    ...settings.upstreams.map(address => `--server=${address}`),
    '--domain-needed',
    '--no-ident',
    '--cache-size=2000',
    `--dns-forward-max=${String(MAX_FORWARDED)}`,
    `--max-tcp-connections=${String(MAX_TCP_CONNECTIONS)}`,
    `--edns-packet-max=${String(MAX_UDP_BYTES)}`,
  ];
}
