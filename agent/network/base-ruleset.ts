import { FIRST_HOST_NUMBER, gatewayAddress, subnetCidr, subnetPrefix, TASK_ADDRESSES, TASK_RANGE, VIRTUAL_IP_RANGE } from '#model/addressing.ts';
import { dnsLimitChains, dnsLimitSets } from './dns-limit-rules.ts';
import { macOfAddress } from './link-names.ts';
import type { NetworkNames } from './link-names.ts';
import { set } from './nft-set.ts';

/**
 * Addresses where clouds serve the machine's credentials: link-local (RFC 3927), Alibaba, Azure, Oracle.
 * Their IPv6 addresses need no rule: the bridge table passes no IPv6.
 */
const METADATA_RANGES = ['100.100.100.200', '168.63.129.16', '169.254.0.0/16', '192.0.0.192'];

export interface BaseFirewall {
  readonly names: NetworkNames;
  readonly subnetIndex: number;
  readonly underlayAddress: string;
  readonly vxlanPort: number;
  /** Underlay addresses of the other nodes, sorted. */
  readonly peerAddresses: readonly string[];
  /** `IPV4:PORT` where controllers and NATS listen, sorted: closed to tasks wherever they run. */
  readonly managers: readonly string[];
  /** TCP ports of Gantry's own processes, as numbers and ranges: closed to tasks on nodes and on hosts of managers. */
  readonly managementPorts: readonly string[];
  /** Links of other software whose traffic is forwarded too; `*` at the end matches any rest of the name. */
  readonly forwardLinks: readonly string[];
}

/**
 * Rules that follow from the node's subnet and peers alone, as one nft transaction that replaces the tables.
 *
 * Everything a slot needs is there before the slot: names and MACs follow from the host number, so no task start touches these tables.
 */
export function baseRuleset(firewall: BaseFirewall): string {
  return [
    replaceTable('ip', firewall.names.baseTable, ipTable(firewall)),
    replaceTable('bridge', firewall.names.baseTable, bridgeTable(firewall)),
  ].join('\n');
}

/** Deleting in the same transaction as adding leaves no moment without rules. Source: nft(8), "nft -f" is atomic. */
export function replaceTable(family: string, table: string, body: readonly string[]): string {
  return [`table ${family} ${table}`, `delete table ${family} ${table}`, `table ${family} ${table} {`, ...body.map(line => line === '' ? '' : `  ${line}`), '}', ''].join('\n');
}

/** Takes both tables away; works when they are not there. */
export function removeTables(names: NetworkNames): string {
  return [['ip', names.baseTable], ['bridge', names.baseTable], ['ip', names.proxyTable]]
    .flatMap(([family, table]) => [`table ${String(family)} ${String(table)}`, `delete table ${String(family)} ${String(table)}`]).join('\n');
}

function ipTable(firewall: BaseFirewall): string[] {
  const { managers, peerAddresses, managementPorts, subnetIndex } = firewall;
  const hosts = new Set([...peerAddresses, ...managers.map(endpoint => endpoint.split(':')[0] ?? '')]);
  return [
    ...set('peers', 'ipv4_addr', peerAddresses),
    ...set('gantry-hosts', 'ipv4_addr', [...hosts].sort()),
    ...set('managers', 'ipv4_addr . inet_service', managers.map(endpoint => endpoint.replace(':', ' . '))),
    ...set('management-ports', 'inet_service', managementPorts, 'flags interval'),
    ...set('metadata', 'ipv4_addr', METADATA_RANGES, 'flags interval'),
    ...set('hairpins', 'ipv4_addr . ipv4_addr', taskAddresses(subnetIndex).map(address => `${address} . ${address}`)),
    ...dnsLimitSets(taskAddresses(subnetIndex)),
    ...forwardChains(firewall),
    '',
    ...inputChains(firewall),
    '',
    ...dnsLimitChains(),
    '',
    ...postroutingChain(firewall),
  ];
}

/**
 * Traffic of tasks alone: this machine is no router for the hosts beside it. The last rule drops, not the
 * policy: while the table is replaced, the old chain has lost its rules and still has its policy.
 */
function forwardChains({ names, vxlanPort, forwardLinks }: BaseFirewall): string[] {
  const links = forwardLinks.map(link => `"${link}"`).join(', ');
  return [
    'chain forward {',
    '  type filter hook forward priority filter; policy accept;',
    `  iifname "${names.bridge}" jump from-task`,
    '  ct state established,related accept',
    `  ct status dnat oifname { "${names.bridge}", "${names.vxlan}" } accept`,
    `  iifname "${names.bridge}" accept`,
    `  iifname "${names.vxlan}" oifname "${names.bridge}" ip saddr ${TASK_RANGE} accept`,
    ...(links === '' ? [] : [`  iifname { ${links} } accept`, `  oifname { ${links} } accept`]),
    '  drop',
    '}',
    '',
    'chain from-task {',
    // Not translated: it came while the proxy's table was replaced. Dropped, its next try is a new connection.
    `  ip daddr ${VIRTUAL_IP_RANGE} drop`,
    '  ip daddr @metadata drop',
    '  ip daddr @gantry-hosts tcp dport @management-ports drop',
    `  ip daddr @peers udp dport ${String(vxlanPort)} drop`,
    '  ip daddr . tcp dport @managers drop',
    '}',
  ];
}

/** The cluster's own addresses answer tasks and this machine alone; its other ports are the machine's business. */
function inputChains({ names, subnetIndex, vxlanPort }: BaseFirewall): string[] {
  return [
    'chain input {',
    '  type filter hook input priority filter; policy accept;',
    `  iifname "${names.bridge}" jump task-to-node`,
    `  udp dport ${String(vxlanPort)} ip saddr != @peers drop`,
    '  ct state established,related accept',
    `  iifname "${names.vxlan}" drop`,
    `  iifname != { "${names.bridge}", "lo" } ip daddr ${subnetCidr(subnetIndex)} drop`,
    '}',
    '',
    'chain task-to-node {',
    `  ip daddr ${gatewayAddress(subnetIndex)} udp dport 53 goto dns-udp`,
    `  ip daddr ${gatewayAddress(subnetIndex)} tcp dport 53 goto dns-tcp`,
    '  ct state established,related accept',
    '  ip daddr @metadata drop',
    '  tcp dport @management-ports drop',
    '  ip daddr . tcp dport @managers drop',
    `  udp dport ${String(vxlanPort)} drop`,
    '}',
  ];
}

/** Where a reply would not come back by the same way, the node puts its own address in. */
function postroutingChain({ names, subnetIndex }: BaseFirewall): string[] {
  return [
    'chain postrouting {',
    '  type nat hook postrouting priority srcnat; policy accept;',
    '  ip saddr . ip daddr @hairpins masquerade',
    `  oifname "${names.vxlan}" ip saddr != ${TASK_RANGE} masquerade`,
    `  ip saddr ${subnetCidr(subnetIndex)} oifname != { "${names.bridge}", "${names.vxlan}", "lo" } masquerade`,
    '}',
  ];
}

function bridgeTable({ names, subnetIndex }: BaseFirewall): string[] {
  const ports = taskAddresses(subnetIndex).map(address => `"${names.taskLinkPrefix}${String(address.split('.')[3])}" . ${macOfAddress(address)} . ${address}`);
  return [
    ...set('task-ports', 'ifname . ether_addr . ipv4_addr', ports),
    'chain prerouting {',
    '  type filter hook prerouting priority -300; policy accept;',
    `  iifname "${names.taskLinkPrefix}*" jump from-port`,
    '}',
    '',
    'chain from-port {',
    '  ether type ip iifname . ether saddr . ip saddr @task-ports accept',
    '  ether type arp iifname . arp saddr ether . arp saddr ip @task-ports accept',
    '  drop',
    '}',
  ];
}

function taskAddresses(subnetIndex: number): string[] {
  return Array.from({ length: TASK_ADDRESSES }, (_, index) => `${subnetPrefix(subnetIndex)}.${String(FIRST_HOST_NUMBER + index)}`);
}
