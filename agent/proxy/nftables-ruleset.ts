import { createHash } from 'node:crypto';
import { isIpv4Address, TASK_RANGE, VIRTUAL_IP_RANGE } from '#model/addressing.ts';
import type { Endpoint, EndpointSet, ServiceEndpoints } from '#model/endpoints.ts';
import type { NodeId } from '#model/ids.ts';
import type { PublishedPort } from '#model/service.ts';
import type { NftTable } from './nft-table.ts';

/**
 * Expression for the number of an endpoint in a map key; only its type matters, not the modulus.
 */
const CHOICE = 'numgen random mod 65536';

/**
 * One map per protocol: nft cannot read back a rule that names a protocol and uses a map for all.
 */
const PROTOCOLS = ['tcp', 'udp'] as const;

/** Node that the rules are for. */
export interface ProxySite {
  readonly node: NodeId;
  readonly table: string;
  readonly bridge: string;
}

/** Task of this node that may start before the endpoints name it. */
export interface LocalTask {
  readonly address: string;
  readonly namespace: string;
  readonly app: string;
}

/**
 * Longest name of an nft chain or set, reduced to leave room for prefixes. Source: NFT_NAME_MAXLEN
 * in linux/netfilter/nf_tables.h, without the final zero
 */
const MAX_APP_NAME_LENGTH = 100;

/** IPv4 traffic has no other source networks. */
const IPV4_NETWORK = /^\d{1,3}(?:\.\d{1,3}){3}(?:\/\d{1,2})?$/;

interface Draft {
  readonly sets: Map<string, string>;
  readonly chains: Map<string, readonly string[]>;
  readonly elements: Map<string, Map<string, string>>;
}

/**
 * Rules that follow from the endpoints alone: built once per endpoint set, while local tasks come
 * and go.
 */
export interface EndpointRules {
  readonly site: ProxySite;
  readonly draft: Draft;
  readonly servicesOfApp: ReadonlyMap<string, readonly ServiceEndpoints[]>;
  /** Tasks of this node in the endpoint set. */
  readonly tasks: readonly LocalTask[];
}

/**
 * Builds the rules that forward service traffic to healthy endpoints and isolate tasks of different
 * Apps.
 * - A virtual IP answers tasks and the node itself on the ports of the service, and tasks of the
 * same App on every port.
 * - A published port answers on every address of every node (`ingress`) or of the node of the task
 * (`host`).
 * - Without a healthy endpoint, connections are refused at once. Changes do not affect existing
 * connections.
 * - Traffic to the address of a task is allowed within an App only. The node of the sender checks
 * this, so only Apps with a task here have rules.
 * The order of the lists in `set` does not matter.
 */
export function proxyTable(site: ProxySite, set: EndpointSet, localTasks: readonly LocalTask[]): NftTable {
  return withLocalTasks(endpointRules(site, set), localTasks);
}

export function endpointRules(site: ProxySite, set: EndpointSet): EndpointRules {
  const draft: Draft = { sets: new Map(), chains: new Map(), elements: new Map() };
  const services = sound(set);
  for (const service of services) {
    addVirtualPorts(draft, service);
    addPublishedPorts(draft, service, site.node);
  }
  return { site, draft, servicesOfApp: Map.groupBy(services, service => appName(service.namespace, service.app)), tasks: tasksOfNode(services, site.node) };
}

/**
 * Adds Apps to the rules. Elements of `rules` stay the same objects: renderChange compares them by
 * identity.
 */
export function withLocalTasks({ site, draft: base, servicesOfApp, tasks }: EndpointRules, localTasks: readonly LocalTask[]): NftTable {
  const draft: Draft = { sets: new Map(base.sets), chains: new Map(base.chains), elements: new Map(base.elements) };
  const tasksHere = [...localTasks, ...tasks];
  for (const app of new Set(tasksHere.map(task => appName(task.namespace, task.app)))) {
    for (const service of servicesOfApp.get(app) ?? []) {
      addAppMembers(draft, service);
    }
  }
  for (const task of tasksHere) {
    addTask(draft, task);
  }
  return { family: 'ip', name: site.table, frame: frame(site), sets: draft.sets, chains: draft.chains, elements: draft.elements };
}

/** Returns the name of an App inside nft: readable, and of bounded length. */
export function appName(namespace: string, app: string): string {
  const name = `${namespace}/${app}`;
  return name.length <= MAX_APP_NAME_LENGTH ? name : `${name.slice(0, MAX_APP_NAME_LENGTH - 17)}/${createHash('sha256').update(name).digest('hex').slice(0, 16)}`;
}

/**
 * Drops endpoints with an invalid address: the error of one node must not reach the rules of all
 * others.
 */
function sound(set: EndpointSet): ServiceEndpoints[] {
  return set.services.map(service => ({ ...service, endpoints: service.endpoints.filter(endpoint => isIpv4Address(endpoint.address)) }));
}

function tasksOfNode(services: readonly ServiceEndpoints[], node: NodeId): LocalTask[] {
  return services.flatMap(({ namespace, app, endpoints }) => endpoints
    .filter(endpoint => endpoint.node === node)
    .map(({ address }) => ({ address, namespace, app })));
}

function frame(site: ProxySite): string[] {
  return [...maps(), '', ...dispatchChains(site), '', ...forwardChains(site)];
}

/**
 * Every map has one line per port or endpoint, so a change of one service touches only its own
 * elements.
 */
function maps(): string[] {
  return [
    'map virtual-ports { typeof ip daddr . meta l4proto . th dport : verdict; }',
    ...PROTOCOLS.map(protocol => `map virtual-${protocol}-endpoints { typeof ip daddr . ${protocol} dport . ${CHOICE} : ip daddr . ${protocol} dport; }`),
    'map virtual-ips { type ipv4_addr : verdict; }',
    'map any-port { type ipv4_addr : verdict; }',
    `map any-port-endpoints { typeof ip daddr . ${CHOICE} : ip daddr; }`,
    'map published-ports { typeof meta l4proto . th dport : verdict; }',
    ...PROTOCOLS.map(protocol => `map published-${protocol}-endpoints { typeof ${protocol} dport . ${CHOICE} : ip daddr . ${protocol} dport; }`),
    'map local-tasks { type ipv4_addr : verdict; }',
  ];
}

/**
 * Virtual IPs answer tasks and the node itself only: a host beside the node would bypass
 * `allow_from`.
 */
function dispatchChains(site: ProxySite): string[] {
  const published = '  fib daddr type local ip daddr != 127.0.0.0/8 goto published';
  return [
    'chain refuse {',
    '  meta l4proto tcp reject with tcp reset',
    '  reject with icmp port-unreachable',
    '}',
    '',
    'chain virtual {',
    '  ip daddr . meta l4proto . th dport vmap @virtual-ports',
    '  ip daddr vmap @virtual-ips',
    '  goto refuse',
    '}',
    '',
    'chain published {',
    '  meta l4proto . th dport vmap @published-ports',
    '}',
    '',
    'chain prerouting {',
    '  type nat hook prerouting priority dstnat; policy accept;',
    `  iifname "${site.bridge}" ip daddr ${VIRTUAL_IP_RANGE} goto virtual`,
    published,
    '}',
    '',
    'chain output {',
    '  type nat hook output priority dstnat; policy accept;',
    `  ip daddr ${VIRTUAL_IP_RANGE} goto virtual`,
    published,
    '}',
  ];
}

function forwardChains(site: ProxySite): string[] {
  return [
    'chain forward {',
    '  type filter hook forward priority filter; policy accept;',
    `  iifname "${site.bridge}" ip daddr ${TASK_RANGE} jump to-other-task`,
    '}',
    '',
    'chain to-other-task {',
    '  ct state established,related accept',
    '  ct status dnat accept',
    '  ip saddr vmap @local-tasks',
    '  drop',
    '}',
  ];
}

function addVirtualPorts(draft: Draft, service: ServiceEndpoints): void {
  const healthy = healthyAddresses(service.endpoints);
  // If a published number of one port is the target of another, the published one applies: the user wrote it.
  const listed = [
    ...service.ports.map(port => ({ port, number: port.target })),
    ...service.ports.flatMap(port => port.published === undefined ? [] : [{ port, number: port.published }]),
  ];
  const byKey = new Map(listed.map(entry => [`${entry.port.protocol} . ${String(entry.number)}`, entry]));
  for (const [key, { port, number }] of byKey) {
    const targets = healthy.map(address => `${address} . ${String(port.target)}`);
    addElement(draft, 'virtual-ports', `${service.virtualIp} . ${key}`, balance(draft, { kind: 'virtual', protocol: port.protocol, key: `${service.virtualIp} . ${String(number)}` }, targets));
  }
}

function addPublishedPorts(draft: Draft, service: ServiceEndpoints, node: NodeId): void {
  for (const port of service.ports) {
    const endpoints = port.mode === 'host' ? service.endpoints.filter(endpoint => endpoint.node === node) : service.endpoints;
    if (port.published === undefined || (port.mode === 'host' && endpoints.length === 0)) {
      continue;
    }
    const key = `${port.protocol} . ${String(port.published)}`;
    const verdict = balance(draft, { kind: 'published', protocol: port.protocol, key: String(port.published) }, healthyAddresses(endpoints).map(address => `${address} . ${String(port.target)}`));
    addElement(draft, 'published-ports', key, port.allowFrom.length === 0 ? verdict : admission(draft, port, verdict));
  }
}

/**
 * Adds a chain that admits the networks of the port, one rule per network: overlapping networks are
 * an error in an nft set, but not in rules.
 */
function admission(draft: Draft, port: PublishedPort, verdict: string): string {
  const chain = `allow-${port.protocol}-${String(port.published)}`;
  const networks = port.allowFrom.filter(network => IPV4_NETWORK.test(network)).toSorted();
  draft.chains.set(chain, [...networks.map(network => `ip saddr ${network} ${verdict}`), 'goto refuse']);
  return `goto ${chain}`;
}

/** Adds the addresses of the App, and every port of the virtual IP for tasks of the App. */
function addAppMembers(draft: Draft, service: ServiceEndpoints): void {
  const app = appName(service.namespace, service.app);
  declareApp(draft, app);
  for (const { address } of service.endpoints) {
    addElement(draft, `app/${app}`, address, '');
  }
  addElement(draft, 'virtual-ips', service.virtualIp, `goto to/${app}`);
  addElement(draft, 'any-port', service.virtualIp, balance(draft, { kind: 'any-port', key: service.virtualIp }, healthyAddresses(service.endpoints)));
}

function addTask(draft: Draft, task: LocalTask): void {
  const app = appName(task.namespace, task.app);
  declareApp(draft, app);
  addElement(draft, `app/${app}`, task.address, '');
  addElement(draft, 'local-tasks', task.address, `goto from/${app}`);
}

function declareApp(draft: Draft, app: string): void {
  draft.sets.set(`app/${app}`, 'ipv4_addr');
  draft.chains.set(`from/${app}`, [`ip daddr @app/${app} accept`, 'drop']);
  draft.chains.set(`to/${app}`, [`ip saddr @app/${app} ip daddr vmap @any-port`, 'goto refuse']);
}

type Balancing =
  | { readonly kind: 'virtual' | 'published'; readonly protocol: 'tcp' | 'udp'; readonly key: string }
  | { readonly kind: 'any-port'; readonly key: string };

/**
 * Returns the verdict that sends each new connection to a random target.
 * Services with the same number of endpoints share a chain; map elements `KEY . NUMBER` hold their
 * endpoints. With one set per service, the kernel searches all sets of a table for a free name:
 * 5,000 services took 13 s instead of 2 s.
 */
function balance(draft: Draft, balancing: Balancing, targets: readonly string[]): string {
  if (targets.length === 0) {
    return 'goto refuse';
  }
  const name = balancing.kind === 'any-port' ? 'any-port' : `${balancing.kind}-${balancing.protocol}`;
  const choice = `numgen random mod ${String(targets.length)}`;
  const chain = `${name}-${String(targets.length)}`;
  // Between two versions of the rules a packet may find no element. It is dropped and sent again; if accepted, it would be tracked unchanged.
  draft.chains.set(chain, [`dnat to ${balancingKey(balancing)} . ${choice} map @${name}-endpoints`, 'drop']);
  targets.forEach((target, index) => { addElement(draft, `${name}-endpoints`, `${balancing.key} . ${String(index)}`, target); });
  return `goto ${chain}`;
}

function balancingKey(balancing: Balancing): string {
  switch (balancing.kind) {
    case 'any-port': return 'ip daddr';
    case 'virtual': return `ip daddr . ${balancing.protocol} dport`;
    case 'published': return `${balancing.protocol} dport`;
  }
}

function healthyAddresses(endpoints: readonly Endpoint[]): string[] {
  return endpoints.filter(endpoint => endpoint.isHealthy).map(endpoint => endpoint.address).sort();
}

function addElement(draft: Draft, name: string, key: string, verdict: string): void {
  const elements = draft.elements.get(name) ?? new Map<string, string>();
  draft.elements.set(name, elements.set(key, verdict));
}
