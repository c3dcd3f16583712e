import { FIRST_HOST_NUMBER, gatewayAddress, subnetCidr, subnetPrefix, TASK_ADDRESSES, TASK_RANGE } from '#model/addressing.ts';
import { macOfAddress } from './link-names.ts';
import type { NetworkNames } from './link-names.ts';

/** Ports of Gantry's own processes: no task may reach them on any node (decisions, "ports"). */
const MANAGEMENT_PORTS = '7400-7402, 7410, 7412';
/** Link-local addresses, where clouds answer with the machine's credentials. Source: RFC 3927. */
const METADATA_RANGE = '169.254.0.0/16';

export interface BaseFirewall {
  readonly names: NetworkNames;
  readonly subnetIndex: number;
  readonly underlayAddress: string;
  readonly vxlanPort: number;
  /** Underlay addresses of the other nodes, sorted. */
  readonly peerAddresses: readonly string[];
  /** `IPV4:PORT` where controllers and NATS listen, sorted: closed to tasks wherever they run. */
  readonly managers: readonly string[];
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
  return [
    'set peers {',
    '  type ipv4_addr',
    ...elements(firewall.peerAddresses),
    '}',
    '',
    'set managers {',
    '  type ipv4_addr . inet_service',
    ...elements(firewall.managers.map(endpoint => endpoint.replace(':', ' . '))),
    '}',
    '',
    'set hairpins {',
    '  type ipv4_addr . ipv4_addr',
    ...elements(hostAddresses(firewall.subnetIndex).map(address => `${address} . ${address}`)),
    '}',
    '',
    ...forwardChains(firewall),
    '',
    ...inputChains(firewall),
    '',
    ...postroutingChain(firewall),
  ];
}

function forwardChains({ names, vxlanPort }: BaseFirewall): string[] {
  return [
    'chain forward {',
    '  type filter hook forward priority filter; policy accept;',
    `  iifname "${names.bridge}" jump from-task`,
    `  oifname "${names.bridge}" jump to-task`,
    '}',
    '',
    'chain from-task {',
    `  ip daddr ${METADATA_RANGE} drop`,
    `  ip daddr @peers tcp dport { ${MANAGEMENT_PORTS} } drop`,
    `  ip daddr @peers udp dport ${String(vxlanPort)} drop`,
    '  ip daddr . tcp dport @managers drop',
    '}',
    '',
    'chain to-task {',
    '  ct state established,related accept',
    '  ct status dnat accept',
    `  iifname { "${names.bridge}", "${names.vxlan}" } accept`,
    '  drop',
    '}',
  ];
}

function inputChains({ names, subnetIndex, vxlanPort }: BaseFirewall): string[] {
  return [
    'chain input {',
    '  type filter hook input priority filter; policy accept;',
    `  iifname "${names.bridge}" jump task-to-node`,
    `  iifname "${names.vxlan}" tcp dport { ${MANAGEMENT_PORTS} } drop`,
    `  udp dport ${String(vxlanPort)} ip saddr != @peers drop`,
    '}',
    '',
    'chain task-to-node {',
    '  ct state established,related accept',
    `  ip daddr ${gatewayAddress(subnetIndex)} meta l4proto { tcp, udp } th dport 53 accept`,
    `  ip daddr ${METADATA_RANGE} drop`,
    `  tcp dport { ${MANAGEMENT_PORTS} } drop`,
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
  const ports = hostAddresses(subnetIndex).map(address => `"${names.taskLinkPrefix}${String(address.split('.')[3])}" . ${macOfAddress(address)} . ${address}`);
  return [
    'set task-ports {',
    '  type ifname . ether_addr . ipv4_addr',
    ...elements(ports),
    '}',
    '',
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

function elements(entries: readonly string[]): string[] {
  return entries.length === 0 ? [] : [`  elements = { ${entries.join(', ')} }`];
}

function hostAddresses(subnetIndex: number): string[] {
  return Array.from({ length: TASK_ADDRESSES }, (_, index) => `${subnetPrefix(subnetIndex)}.${String(FIRST_HOST_NUMBER + index)}`);
}
