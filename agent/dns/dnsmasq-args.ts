import { ZONE } from './host-names.ts';

export interface DnsmasqSettings {
  readonly gatewayAddress: string;
  readonly hostsDir: string;
  readonly pidFile: string;
  /** Asked for every other name; none: such names are refused at once. */
  readonly upstreams: readonly string[];
  /** Account it runs as once its socket is bound. */
  readonly user: string;
}

/** Largest answer over UDP that no path has to fragment. Source: DNS Flag Day 2020; reliability, "input rules". */
const MAX_UDP_BYTES = 1232;

/** Queries that wait for another server, each for up to 10 s: those of one task's 1,000 a second do not use them up. */
const MAX_FORWARDED = 12_000;
/** Each is a process: more than the 8 that one task may have (agent/network/dns-limit-rules.ts). */
const MAX_TCP_CONNECTIONS = 64;

/**
 * Arguments of the node's dnsmasq. It reads no configuration of the machine; names of the zone are answered from the hosts files alone,
 * so what is not there does not exist, and an AAAA question for what is there gets an empty answer. Source: dnsmasq(8).
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
