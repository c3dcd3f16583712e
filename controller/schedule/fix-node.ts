/** Changes of one node that is there, each told as what an operator does to it. */
import { CAPABILITIES } from '#model/capability.ts';
import { requestsOf } from '#model/companion.ts';
import type { Node } from '#model/node.ts';
import type { PlacementRule } from '#model/service.ts';
import type { Resources } from '#model/resources.ts';
import type { Blocked, BlockedNode } from './blocked.ts';
import { distinct } from './candidate.ts';
import type { Candidate } from './candidate.ts';
import type { Amount, Obstacle } from './filters.ts';
import { labelChange, withLabels } from './fix-label.ts';

const MIB = 1024 ** 2;
/** Nodes of one kind of candidate that are tried: the first by id are as good as any. */
const MAX_NODES_TRIED = 8;

/** Nodes that are held back and fit otherwise. */
export function reopened(blocked: Blocked, single: readonly BlockedNode[]): readonly Candidate[] {
  return mended(blocked, single.filter(one => one.obstacles[0]?.kind === 'node'));
}

/** Nodes that lack a label which operators give. */
export function labelled(blocked: Blocked, single: readonly BlockedNode[]): readonly Candidate[] {
  return mended(blocked, single.filter(one => canBeLabelled(blocked, one)));
}

/** Nodes that do not offer what only their agents' options open. */
export function opened(blocked: Blocked, single: readonly BlockedNode[]): readonly Candidate[] {
  return mended(blocked, single.filter(({ obstacles: [one] }) => one !== undefined && isOpening(one)));
}

/** Each node made so that nothing of it is in the way any more, where that can be done to a node at all. */
export function mended(blocked: Blocked, nodes: readonly BlockedNode[]): readonly Candidate[] {
  return nodes.flatMap(({ node, obstacles }) => {
    const mends = obstacles.map(one => mend(blocked, node, one));
    const known = mends.filter(one => one !== undefined);
    return known.length < mends.length || known.length === 0 ? [] : [mendedNode(blocked, node, known)];
  }).slice(0, MAX_NODES_TRIED);
}

function mendedNode({ service, snapshot }: Blocked, node: Node, mends: readonly Mend[]): Candidate {
  const value = mends.reduce<Node>((current, one) => ({ ...current, ...one.change(current) }), node);
  const change = distinct(mends.map(one => one.text)).join('; ');
  const commands = mends.flatMap(one => one.command?.(node) ?? []);
  const command = commands.length === mends.length ? { command: distinct(commands).join(' && ') } : {};
  const record = { createRevision: 0, modRevision: 0, ...snapshot.nodes.get(node.id), value };
  return {
    service, snapshot: { ...snapshot, nodes: new Map(snapshot.nodes).set(node.id, record) },
    fix: { sentence: `change node ${node.id}: ${change}`, edit: { kind: 'node', node: node.id, change }, ...command },
  };
}

interface Mend {
  readonly text: string;
  readonly change: (node: Node) => Partial<Node>;
  /** Absent: it is not done by a call. */
  readonly command?: (node: Node) => string;
}

/** Undefined for what no change of the node mends: what others have there, and data that lies elsewhere. */
function mend(blocked: Blocked, node: Node, obstacle: Obstacle): Mend | undefined {
  const { placement } = blocked.service.spec;
  switch (obstacle.kind) {
    case 'node': return mendState(obstacle.state);
    case 'taint': return mendTaints(node.taints.filter(taint => !placement.tolerate.includes(taint)));
    case 'label': return canBeGiven(blocked, node) ? mendLabels(placement.require, node) : undefined;
    case 'runtime': return { text: `install the runtime ${obstacle.runtime}`, change: ({ runtimes }) => ({ runtimes: [...runtimes, obstacle.runtime] }) };
    case 'cpuset': return { text: `give it the cpus ${obstacle.cpuset}`, change: ({ cpus }) => ({ cpus: `${cpus},${obstacle.cpuset}` }) };
    case 'device': return mendDevices(obstacle.device, obstacle.need * blocked.missing - obstacle.free);
    default: return isOpening(obstacle) ? mendOpening(obstacle) : isAmount(obstacle) ? mendCapacity(obstacle.kind, requestOf(blocked, obstacle.kind) * blocked.missing - obstacle.free) : undefined;
  }
}

function isAmount(obstacle: Obstacle): obstacle is Extract<Obstacle, { readonly kind: Amount }> {
  return ['memory', 'cpu', 'disk', 'pids'].includes(obstacle.kind);
}

type Opening = Extract<Obstacle, { readonly kind: 'privileged' | 'deadman' | 'network' | 'capability' | 'bind' | 'device-path' }>;

function isOpening(obstacle: Obstacle): obstacle is Opening {
  return ['privileged', 'deadman', 'network', 'capability', 'bind', 'device-path'].includes(obstacle.kind);
}

function mendOpening(obstacle: Opening): Mend {
  switch (obstacle.kind) {
    case 'privileged': return { text: 'start its agent with --allow-privileged', change: ({ policy }) => ({ policy: { ...policy, allowsPrivileged: true } }) };
    case 'deadman': return { text: 'start its gantry-deadman', change: () => ({ hasDeadman: true }) };
    case 'network': return { text: `repair its network: it says "${obstacle.fault}"`, change: () => ({ networkFault: '' }) };
    case 'capability': return { text: 'upgrade its agent', change: ({ capabilities }) => ({ capabilities: [...capabilities, ...CAPABILITIES] }) };
    case 'bind': return { text: `start its agent with --bind-prefixes ${obstacle.hostPath}`, change: ({ policy }) => ({ policy: { ...policy, bindPrefixes: [...policy.bindPrefixes, obstacle.hostPath] } }) };
    case 'device-path': return { text: `start its agent with --device-paths ${obstacle.hostPath}`, change: ({ policy }) => ({ policy: { ...policy, devicePaths: [...policy.devicePaths, obstacle.hostPath] } }) };
  }
}

function mendState(state: string): Mend {
  const isHeldBack = state === 'cordoned' || state === 'draining';
  return isHeldBack
    ? { text: 'uncordon it', change: () => ({ availability: 'active' }), command: ({ id }) => `clusterctl node uncordon ${id}` }
    : { text: 'bring it back', change: () => ({ availability: 'active', condition: 'ready' }) };
}

function mendTaints(taints: readonly string[]): Mend {
  const names = [...taints].sort();
  return {
    text: `remove its ${taints.length === 1 ? 'taint' : 'taints'} ${names.join(', ')}`, change: current => ({ taints: current.taints.filter(taint => !taints.includes(taint)) }),
    command: ({ id }) => `clusterctl node taint ${id} ${names.map(name => `${name}-`).join(' ')}`,
  };
}

function requestOf({ service }: Blocked, kind: Amount): number {
  const { milliCpu, memoryBytes, diskBytes = 0, pids = 0 } = requestsOf(service.spec);
  return { cpu: milliCpu, memory: memoryBytes, disk: diskBytes, pids }[kind];
}

function mendCapacity(kind: Amount, missing: number): Mend {
  const isBytes = kind === 'memory' || kind === 'disk';
  const more = isBytes ? Math.ceil(missing / MIB) * MIB : missing;
  const text = kind === 'cpu' ? String(more / 1000) : isBytes ? `${String(more / MIB)}Mi` : String(more);
  return { text: `give it ${text} more ${kind}`, change: ({ capacity, pids }) => ({ capacity: { ...capacity, ...larger({ pids, ...capacity }, kind, more) } }) };
}

function larger(capacity: Resources, kind: Amount, more: number): Partial<Resources> {
  switch (kind) {
    case 'cpu': return { milliCpu: capacity.milliCpu + more };
    case 'memory': return { memoryBytes: capacity.memoryBytes + more };
    case 'disk': return { diskBytes: (capacity.diskBytes ?? 0) + more };
    case 'pids': return { pids: (capacity.pids ?? 0) + more };
  }
}

function mendDevices(name: string, more: number): Mend {
  return {
    text: `give it ${String(more)} more of device ${name}`,
    change: ({ policy }) => {
      const count = policy.devices.find(one => one.name === name)?.count ?? 0;
      return { policy: { ...policy, devices: [...policy.devices.filter(one => one.name !== name), { name, count: count + more }] } };
    },
  };
}

function canBeLabelled(blocked: Blocked, { node, obstacles: [one] }: BlockedNode): boolean {
  return one?.kind === 'label' && canBeGiven(blocked, node);
}

/** Labels that say what the machine is are not an operator's to give. */
function canBeGiven({ service }: Blocked, node: Node): boolean {
  const change = labelChange(node.labels, service.spec.placement.require);
  return change !== undefined && [...change.keys()].every(label => !MACHINE_LABELS.includes(label));
}

const MACHINE_LABELS: readonly string[] = ['node', 'arch', 'os'];

function mendLabels(rules: readonly PlacementRule[], node: Node): Mend {
  const change = labelChange(node.labels, rules) ?? new Map<string, string | undefined>();
  const text = [...change].map(([label, value]) => (value === undefined ? `remove its label ${label}` : `label it ${label}=${value}`)).join('; ');
  const words = [...change].map(([label, value]) => (value === undefined ? `${label}-` : `${label}=${value}`));
  const overwrites = [...change].some(([label, value]) => value !== undefined && node.labels.has(label));
  return {
    text, change: ({ labels }) => ({ labels: withLabels(labels, change) }),
    command: ({ id }) => `clusterctl label node/${id} ${words.join(' ')}${overwrites ? ' --overwrite' : ''}`,
  };
}
