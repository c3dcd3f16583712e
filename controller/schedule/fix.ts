/** The cheapest single change that gets a service's waiting tasks placed: tried on paper before it is told. Never "delete". */
import { requestsOf } from '#model/companion.ts';
import type { Service } from '#model/app.ts';
import type { Fix } from '#model/cluster-plan.ts';
import type { ClusterSnapshot, Versioned } from '#model/cluster-snapshot.ts';
import { formatPlacementRule } from '#model/constraint.ts';
import { parseNodeId } from '#model/ids.ts';
import { CLOSED_NODE_POLICY } from '#model/node.ts';
import type { NodeId } from '#model/ids.ts';
import type { Node } from '#model/node.ts';
import type { ContainerSpec, PlacementRule, PlacementSpec } from '#model/service.ts';
import { amount } from './explain.ts';
import { allObstacles } from './filters.ts';
import type { Obstacle } from './filters.ts';
import { NodeTable } from './node-table.ts';
import { requestFor } from './request.ts';
import { schedule } from './schedule.ts';
import type { WantedSlot } from './schedule.ts';

const MIB = 1024 ** 2;
/** No task is asked to do with less. */
const LEAST = { cpu: 10, memory: 8 * MIB } as const;
/** Nodes of one kind of candidate that are tried: the first by id are as good as any. */
const MAX_NODES_TRIED = 8;

/** One change, and the state with it. */
interface Candidate {
  readonly fix: Fix;
  readonly service: Service;
  readonly snapshot: ClusterSnapshot;
}

interface Blocked {
  readonly snapshot: ClusterSnapshot;
  readonly service: Service;
  readonly slots: readonly WantedSlot[];
}

interface BlockedNode {
  readonly node: Node;
  readonly obstacles: readonly Obstacle[];
}

/**
 * The first change, from the cheapest kind to the dearest, after which all of `slots` are placed; where there is none, after which the first of
 * them is. What costs nothing comes first (a node that is held back, a label, a taint), then what the service does with less, then a node more.
 */
export function cheapestFix(blocked: Blocked): Fix | undefined {
  const [first] = blocked.slots;
  if (first === undefined) {
    return undefined;
  }
  const nodes = blockedNodes(blocked, first);
  return firstThatHelps(blocked, candidates(blocked, nodes)) ?? firstThatHelps({ ...blocked, slots: [first] }, candidates({ ...blocked, slots: [first] }, nodes));
}

function firstThatHelps(blocked: Blocked, tried: Iterable<Candidate>): Fix | undefined {
  for (const candidate of tried) {
    if (helps(blocked, candidate)) {
      return candidate.fix;
    }
  }
  return undefined;
}

function helps({ slots }: Blocked, { service, snapshot }: Omit<Candidate, 'fix'>): boolean {
  return schedule(snapshot, [{ service, slots }]).rejections.length === 0;
}

function blockedNodes({ snapshot, service }: Blocked, { slot, node }: WantedSlot): readonly BlockedNode[] {
  const table = new NodeTable(snapshot);
  const request = requestFor(snapshot, table, service);
  return table.nodes.map((one, row) => ({ node: one, row })).filter(one => node === undefined || one.node.id === node)
    .map(one => ({ node: one.node, obstacles: allObstacles(table, request, one.row, slot) }));
}

function* candidates(blocked: Blocked, nodes: readonly BlockedNode[]): Iterable<Candidate> {
  const single = nodes.filter(one => one.obstacles.length === 1);
  yield* nodesOfKind(single, 'node').map(one => mendedNode(blocked, one));
  yield* nodesOfKind(single, 'label').flatMap(one => (canBeLabelled(blocked.service, one) ? [mendedNode(blocked, one)] : []));
  yield* fieldCandidates(blocked, single);
  yield newNode(blocked);
  // Rules that no node can satisfy together: one of them has to go.
  yield* withoutRule(blocked, blocked.service.spec.placement.require.map(formatPlacementRule));
  yield* nodes.slice(0, MAX_NODES_TRIED).map(one => mendedNode(blocked, one));
  yield* nodes.filter(one => one.obstacles.every(obstacle => obstacle.kind !== 'volume')).slice(0, MAX_NODES_TRIED).map(one => mendedNode(blocked, one));
}

function nodesOfKind(nodes: readonly BlockedNode[], kind: Obstacle['kind']): readonly BlockedNode[] {
  return nodes.filter(one => one.obstacles[0]?.kind === kind).slice(0, MAX_NODES_TRIED);
}

function* fieldCandidates(blocked: Blocked, single: readonly BlockedNode[]): Iterable<Candidate> {
  const { placement } = blocked.service.spec;
  for (const taint of distinct(single.flatMap(({ obstacles: [one] }) => (one?.kind === 'taint' ? [one.taint] : [])))) {
    const tolerate = [...placement.tolerate, taint];
    yield placementField(blocked, { tolerate }, { path: 'tolerate', value: `[${tolerate.join(', ')}]`, sentence: `let it run on nodes with the taint ${taint}` });
  }
  yield* maxPerCandidates(blocked, single);
  yield* lessCandidates(blocked, single, 'cpu');
  yield* lessCandidates(blocked, single, 'memory');
  yield* runtimeCandidates(blocked, single);
  yield* withoutRule(blocked, single.flatMap(({ obstacles: [one] }) => (one?.kind === 'label' ? [one.rule] : [])));
}

function* withoutRule(blocked: Blocked, rules: readonly string[]): Iterable<Candidate> {
  const { placement } = blocked.service.spec;
  for (const rule of distinct(rules)) {
    const require = placement.require.filter(one => formatPlacementRule(one) !== rule);
    const value = `[${require.map(one => JSON.stringify(formatPlacementRule(one))).join(', ')}]`;
    yield placementField(blocked, { require }, { path: 'require', value, sentence: `give up the rule "${rule}"` });
  }
}

function* maxPerCandidates(blocked: Blocked, single: readonly BlockedNode[]): Iterable<Candidate> {
  const { placement } = blocked.service.spec;
  for (const label of distinct(single.flatMap(({ obstacles: [one] }) => (one?.kind === 'max-per' ? [one.label] : [])))) {
    for (let more = 1; more <= blocked.slots.length; more *= 2) {
      const maxPer = placement.maxPer.map(limit => (limit.label === label ? { ...limit, count: limit.count + more } : limit));
      const count = String(maxPer.find(limit => limit.label === label)?.count ?? 0);
      yield placementField(blocked, { maxPer }, { path: `max_per.${label}`, value: count, sentence: `allow ${count} tasks per ${label}` });
    }
  }
}

/** Asks for what one node has free, then for less and less, down to what all slots together find. */
function* lessCandidates(blocked: Blocked, single: readonly BlockedNode[], kind: 'cpu' | 'memory'): Iterable<Candidate> {
  const step = kind === 'cpu' ? 1 : MIB;
  const free = Math.max(0, ...single.flatMap(({ obstacles: [one] }) => (one?.kind === kind ? [one.free] : [])));
  const at = (units: number): Candidate => withRequest(blocked, kind, units * step);
  let most = Math.floor(free / step);
  let least = LEAST[kind] / step;
  if (most < least || !helps(blocked, at(least))) {
    return;
  }
  if (helps(blocked, at(most))) {
    least = most;
  }
  while (most - least > 1) {
    const middle = Math.floor((least + most) / 2);
    if (helps(blocked, at(middle))) {
      least = middle;
    } else {
      most = middle;
    }
  }
  yield at(least);
}

function withRequest(blocked: Blocked, kind: 'cpu' | 'memory', value: number): Candidate {
  const { requests } = blocked.service.spec.container;
  const changed = kind === 'cpu' ? { ...requests, milliCpu: value } : { ...requests, memoryBytes: value };
  const text = kind === 'cpu' ? String(value / 1000) : `${String(value / MIB)}Mi`;
  return containerField(blocked, { requests: changed }, {
    path: `resources.requests.${kind === 'cpu' ? 'cpus' : 'memory'}`, value: text, sentence: `ask for ${text} of ${kind} instead of ${amount(kind, kind === 'cpu' ? requests.milliCpu : requests.memoryBytes)}`,
  });
}

function runtimeCandidates(blocked: Blocked, single: readonly BlockedNode[]): readonly Candidate[] {
  const offered = distinct(nodesOfKind(single, 'runtime').flatMap(one => [...one.node.runtimes].sort()));
  return offered.map(runtime => containerField(blocked, { runtime }, { path: 'runtime', value: runtime, sentence: `use the runtime ${runtime}` }));
}

interface FieldEdit {
  /** Below the service. */
  readonly path: string;
  readonly value: string;
  readonly sentence: string;
}

function placementField(blocked: Blocked, change: Partial<PlacementSpec>, edit: FieldEdit): Candidate {
  const { spec } = blocked.service;
  return fieldCandidate(blocked, { ...spec, placement: { ...spec.placement, ...change } }, { ...edit, path: `placement.${edit.path}` });
}

function containerField(blocked: Blocked, change: Partial<ContainerSpec>, edit: FieldEdit): Candidate {
  const { spec } = blocked.service;
  return fieldCandidate(blocked, { ...spec, container: { ...spec.container, ...change } }, edit);
}

function fieldCandidate({ service, snapshot }: Blocked, spec: Service['spec'], { path, value, sentence }: FieldEdit): Candidate {
  const whole = `services.${service.name}.${path}`;
  return { service: { ...service, spec }, snapshot, fix: { sentence: `${sentence}: ${whole}: ${value}`, edit: { kind: 'field', path: whole, value } } };
}

/** The node, changed so that nothing of it is in the way any more. */
function mendedNode(blocked: Blocked, { node, obstacles }: BlockedNode): Candidate {
  const mends = obstacles.map(obstacle => mend(blocked, node, obstacle));
  const changed = mends.reduce<Node>((current, one) => ({ ...current, ...one.change(current) }), node);
  const change = distinct(mends.map(one => one.text)).join(', ');
  return nodeCandidate(blocked, changed, { change, sentence: `change node ${node.id}: ${change}` });
}

interface Mend {
  readonly text: string;
  readonly change: (node: Node) => Partial<Node>;
}

function mend({ service, slots }: Blocked, node: Node, obstacle: Obstacle): Mend {
  const { requests } = service.spec.container;
  switch (obstacle.kind) {
    case 'node': return mendState(obstacle.state);
    case 'taint': return { text: `remove its taints ${[...node.taints].sort().join(', ')}`, change: () => ({ taints: [] }) };
    case 'label': return mendLabels(service.spec.placement.require.filter(rule => formatPlacementRule(rule) === obstacle.rule));
    case 'runtime': return { text: `install the runtime ${obstacle.runtime}`, change: current => ({ runtimes: [...current.runtimes, obstacle.runtime] }) };
    case 'memory': return mendCapacity('memory', requests.memoryBytes * slots.length - Math.min(obstacle.free, 0));
    case 'cpu': return mendCapacity('cpu', requests.milliCpu * slots.length - Math.min(obstacle.free, 0));
    case 'privileged':
    case 'bind':
    case 'device-path': return mendOpening(obstacle);
    default: return { text: 'nothing', change: () => ({}) };
  }
}

function mendOpening(obstacle: Extract<Obstacle, { readonly kind: 'privileged' | 'bind' | 'device-path' }>): Mend {
  switch (obstacle.kind) {
    case 'privileged': return { text: 'start its agent with --allow-privileged', change: ({ policy }) => ({ policy: { ...policy, allowsPrivileged: true } }) };
    case 'bind': return { text: `start its agent with --bind-prefixes ${obstacle.hostPath}`, change: ({ policy }) => ({ policy: { ...policy, bindPrefixes: [...policy.bindPrefixes, obstacle.hostPath] } }) };
    case 'device-path': return { text: `start its agent with --device-paths ${obstacle.hostPath}`, change: ({ policy }) => ({ policy: { ...policy, devicePaths: [...policy.devicePaths, obstacle.hostPath] } }) };
  }
}

function mendState(state: string): Mend {
  const isHeldBack = state === 'cordoned' || state === 'draining';
  return isHeldBack
    ? { text: 'uncordon it', change: () => ({ availability: 'active' }) }
    : { text: 'bring it back', change: () => ({ availability: 'active', condition: 'ready' }) };
}

function mendCapacity(kind: 'memory' | 'cpu', more: number): Mend {
  return {
    text: `give it ${kind === 'cpu' ? String(more / 1000) : wholeMib(more)} more ${kind}`,
    change: ({ capacity }) => ({ capacity: kind === 'cpu' ? { ...capacity, milliCpu: capacity.milliCpu + more } : { ...capacity, memoryBytes: capacity.memoryBytes + more } }),
  };
}

function canBeLabelled({ spec }: Service, { obstacles: [one] }: BlockedNode): boolean {
  const rule = spec.placement.require.find(candidate => one?.kind === 'label' && formatPlacementRule(candidate) === one.rule);
  return rule !== undefined && !['node', 'arch', 'os'].includes(rule.label);
}

function mendLabels(rules: readonly PlacementRule[]): Mend {
  return { text: rules.map(labelText).join(', '), change: ({ labels }) => ({ labels: labelled(labels, rules) }) };
}

function labelText(rule: PlacementRule): string {
  const value = valueFor(rule);
  return value === undefined ? `remove its label ${rule.label}` : `label it ${rule.label}=${value}`;
}

/** Labels with which all the rules hold, as far as one value for each can say so. */
function labelled(labels: ReadonlyMap<string, string>, rules: readonly PlacementRule[]): ReadonlyMap<string, string> {
  const changed = new Map(labels);
  for (const rule of rules) {
    const value = valueFor(rule);
    if (value === undefined) {
      changed.delete(rule.label);
    } else {
      changed.set(rule.label, value);
    }
  }
  return changed;
}

/** A value that satisfies the rule; undefined where having no label does. */
function valueFor({ operator, values: [first = ''] }: PlacementRule): string | undefined {
  switch (operator) {
    case '==':
    case 'in': return first;
    case 'exists': return 'true';
    case '>': return String(Number(first) + 1);
    case '<': return String(Number(first) - 1);
    case '!=':
    case 'not-in':
    case 'not-exists': return undefined;
  }
}

/** A node made for the service: room for all that waits, its labels, no taints. */
function newNode(blocked: Blocked): Candidate {
  const { service, snapshot, slots } = blocked;
  const { container, placement } = service.spec;
  const [like] = [...snapshot.nodes.values()].map(entry => entry.value).sort((left, right) => (left.id < right.id ? -1 : 1));
  const id = unusedName(snapshot);
  const labels = labelled(new Map([['node', id], ['arch', like?.labels.get('arch') ?? 'amd64'], ['os', 'linux']]), placement.require);
  const requests = requestsOf(service.spec);
  const capacity = { milliCpu: requests.milliCpu * slots.length, memoryBytes: requests.memoryBytes * slots.length };
  const node: Node = {
    id, availability: 'active', labels, taints: [], subnetIndex: -1, address: '', capacity, pids: 32_768, runtimes: [container.runtime], policy: like?.policy ?? CLOSED_NODE_POLICY,
    agentVersion: like?.agentVersion ?? '', metricsAddress: '', snapshotter: like?.snapshotter ?? '', cpus: '', condition: 'ready', conditionSinceMs: 0, isLossConfirmed: false, createdAtMs: 0,
  };
  const wished = placement.require.map(labelText).filter(text => text.startsWith('label')).map(text => text.replace('label it ', ''));
  const change = [`cpu=${String(capacity.milliCpu / 1000)}`, `memory=${wholeMib(capacity.memoryBytes)}`, ...wished].join(',');
  return nodeCandidate(blocked, node, { change: `add ${change}`, sentence: `add a node with ${change.replaceAll(',', ', ')}` });
}

function unusedName(snapshot: ClusterSnapshot): NodeId {
  let number = snapshot.nodes.size + 1;
  while (snapshot.nodes.has(parseNodeId(`new-${String(number)}`))) {
    number += 1;
  }
  return parseNodeId(`new-${String(number)}`);
}

function nodeCandidate({ service, snapshot }: Blocked, node: Node, edit: { readonly change: string; readonly sentence: string }): Candidate {
  const record: Versioned<Node> = { value: node, createRevision: 0, modRevision: 0 };
  const nodes = new Map(snapshot.nodes).set(node.id, record);
  return { service, snapshot: { ...snapshot, nodes }, fix: { sentence: edit.sentence, edit: { kind: 'node', node: node.id, change: edit.change } } };
}

/** Never less than `bytes`. */
function wholeMib(bytes: number): string {
  return `${String(Math.ceil(bytes / MIB))}Mi`;
}

function distinct(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)].sort();
}
