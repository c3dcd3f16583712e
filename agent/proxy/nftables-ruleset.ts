import { createHash } from 'node:crypto';
import { TASK_RANGE, VIRTUAL_IP_RANGE } from '#model/addressing.ts';
import type { Endpoint, EndpointSet, ServiceEndpoints } from '#model/endpoints.ts';
import type { NodeId } from '#model/ids.ts';
import type { PublishedPort } from '#model/service.ts';
import type { NftTable } from './nft-table.ts';

/** Where the rules are for. */
export interface ProxySite {
  readonly node: NodeId;
  readonly table: string;
  readonly bridge: string;
}

/** A task of this node that may start before the cluster hears of it. */
export interface LocalTask {
  readonly address: string;
  readonly namespace: string;
  readonly app: string;
}

/** Longest name of an nft chain or set. Source: NFT_NAME_MAXLEN in linux/netfilter/nf_tables.h, less the final zero; kept shorter for prefixes. */
const MAX_APP_NAME_LENGTH = 100;

/** Other networks cannot be where IPv4 traffic comes from. */
const IPV4_NETWORK = /^\d{1,3}(?:\.\d{1,3}){3}(?:\/\d{1,2})?$/;

interface Draft {
  readonly sets: Map<string, string>;
  readonly chains: Map<string, readonly string[]>;
  readonly elements: Map<string, Map<string, string>>;
}

/**
 * Rules that bring traffic for services to healthy endpoints, and keep tasks of different Apps apart.
 *
 * - A virtual IP answers on the service's ports for everybody, on every port for tasks of the same App.
 * - A published port answers on every address of every node (`ingress`) or of the task's node (`host`).
 * - No healthy endpoint: refused at once. NAT rules see the first packet of a connection only: changes leave existing ones alone.
 * - Straight to a task's address: only within an App. Checked where the traffic starts, so only Apps with a task here have rules.
 *
 * Order of the lists in `set` does not matter.
 */
export function proxyTable(site: ProxySite, set: EndpointSet, localTasks: readonly LocalTask[]): NftTable {
  const draft: Draft = { sets: new Map(), chains: new Map(), elements: new Map() };
  const tasksHere = [...localTasks, ...tasksOfNode(set, site.node)];
  const appsHere = new Set(tasksHere.map(task => appName(task.namespace, task.app)));
  for (const service of set.services) {
    addVirtualPorts(draft, service);
    addPublishedPorts(draft, service, site.node);
    if (appsHere.has(appName(service.namespace, service.app))) {
      addAppMembers(draft, service);
    }
  }
  for (const task of tasksHere) {
    addTask(draft, task);
  }
  return { family: 'ip', name: site.table, frame: frame(site), sets: draft.sets, chains: draft.chains, elements: draft.elements };
}

/** Name of an App inside nft: readable, and short whatever the names are. */
export function appName(namespace: string, app: string): string {
  const name = `${namespace}/${app}`;
  return name.length <= MAX_APP_NAME_LENGTH ? name : `${name.slice(0, MAX_APP_NAME_LENGTH - 17)}/${createHash('sha256').update(name).digest('hex').slice(0, 16)}`;
}

function tasksOfNode(set: EndpointSet, node: NodeId): LocalTask[] {
  return set.services.flatMap(({ namespace, app, endpoints }) => endpoints
    .filter(endpoint => endpoint.node === node)
    .map(({ address }) => ({ address, namespace, app })));
}

function frame(site: ProxySite): string[] {
  const dispatch = [`  ip daddr ${VIRTUAL_IP_RANGE} goto virtual`, '  fib daddr type local ip daddr != 127.0.0.0/8 goto published'];
  return [
    'map virtual-ports { typeof ip daddr . meta l4proto . th dport : verdict; }',
    'map virtual-ips { type ipv4_addr : verdict; }',
    'map published-ports { typeof meta l4proto . th dport : verdict; }',
    'map local-tasks { type ipv4_addr : verdict; }',
    '',
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
    ...dispatch,
    '}',
    '',
    'chain output {',
    '  type nat hook output priority dstnat; policy accept;',
    ...dispatch,
    '}',
    '',
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
  for (const port of service.ports) {
    const chain = portChain(service, port);
    draft.chains.set(chain, portRules(port, healthy));
    addElement(draft, 'virtual-ports', portKey(service, port.protocol, port.target), `goto ${chain}`);
  }
  // Where one port's published number is another one's target, the published one counts: that is what its user wrote.
  for (const port of service.ports) {
    if (port.published !== undefined) {
      addElement(draft, 'virtual-ports', portKey(service, port.protocol, port.published), `goto ${portChain(service, port)}`);
    }
  }
}

function addPublishedPorts(draft: Draft, service: ServiceEndpoints, node: NodeId): void {
  for (const port of service.ports) {
    if (port.published === undefined) {
      continue;
    }
    const local = service.endpoints.filter(endpoint => endpoint.node === node);
    if (port.mode === 'host' && local.length === 0) {
      continue;
    }
    const chain = `published-${port.protocol}-${String(port.published)}`;
    draft.chains.set(chain, admission(port, publishedTarget(draft, service, port, local)));
    addElement(draft, 'published-ports', `${port.protocol} . ${String(port.published)}`, `goto ${chain}`);
  }
}

/** The chain with the endpoints that a published port leads to: those of the service, or of this node alone. */
function publishedTarget(draft: Draft, service: ServiceEndpoints, port: PublishedPort, local: readonly Endpoint[]): string {
  if (port.mode === 'ingress') {
    return portChain(service, port);
  }
  const chain = `host-${port.protocol}-${String(port.published)}`;
  draft.chains.set(chain, portRules(port, healthyAddresses(local)));
  return chain;
}

/** One rule a network: overlapping ones are no error, as they would be in an nft set. */
function admission(port: PublishedPort, target: string): string[] {
  if (port.allowFrom.length === 0) {
    return [`goto ${target}`];
  }
  const networks = port.allowFrom.filter(network => IPV4_NETWORK.test(network)).toSorted();
  return [...networks.map(network => `ip saddr ${network} goto ${target}`), 'goto refuse'];
}

/** The App's addresses, and every port of the service's virtual IP for tasks of the App. */
function addAppMembers(draft: Draft, service: ServiceEndpoints): void {
  const app = appName(service.namespace, service.app);
  declareApp(draft, app);
  for (const { address } of service.endpoints) {
    addElement(draft, `app/${app}`, address, '');
  }
  const chain = `any-port-${service.virtualIp}`;
  const target = balance(healthyAddresses(service.endpoints));
  draft.chains.set(chain, [...(target === undefined ? [] : [`ip saddr @app/${app} dnat to ${target}`]), 'goto refuse']);
  addElement(draft, 'virtual-ips', service.virtualIp, `goto ${chain}`);
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
}

function portChain(service: ServiceEndpoints, port: PublishedPort): string {
  return `port-${service.virtualIp}-${port.protocol}-${String(port.target)}`;
}

function portKey(service: ServiceEndpoints, protocol: string, port: number): string {
  return `${service.virtualIp} . ${protocol} . ${String(port)}`;
}

function portRules(port: PublishedPort, addresses: readonly string[]): string[] {
  const target = balance(addresses, port.target);
  return [target === undefined ? 'goto refuse' : `meta l4proto ${port.protocol} dnat to ${target}`];
}

/** An nft expression that gives each new connection one of the addresses by chance; undefined when there are none. */
function balance(addresses: readonly string[], port?: number): string | undefined {
  const [only] = addresses;
  if (addresses.length <= 1) {
    return only === undefined || port === undefined ? only : `${only}:${String(port)}`;
  }
  const choices = addresses.map((address, index) => `${String(index)} : ${port === undefined ? address : `${address} . ${String(port)}`}`);
  return `numgen random mod ${String(addresses.length)} map { ${choices.join(', ')} }`;
}

function healthyAddresses(endpoints: readonly Endpoint[]): string[] {
  return endpoints.filter(endpoint => endpoint.isHealthy).map(endpoint => endpoint.address).sort();
}

function addElement(draft: Draft, name: string, key: string, verdict: string): void {
  const elements = draft.elements.get(name) ?? new Map<string, string>();
  draft.elements.set(name, elements.set(key, verdict));
}
