/** Checks placements by the rules of the manifest alone; shares no code with the scheduler. */
import type { Service } from '#model/app.ts';
import type { NamespaceQuota } from '#model/namespace.ts';
import type { Node } from '#model/node.ts';
import type { CompanionSpec, ContainerSpec, PlacementRule } from '#model/service.ts';
import type { DeviceUnits, Task } from '#model/task.ts';

export interface Placed {
  readonly service: Service;
  readonly slot: number;
  readonly node: string;
  readonly deviceUnits?: readonly DeviceUnits[];
}

export interface Checked {
  readonly nodes: readonly Node[];
  /** Run already. */
  readonly tasks?: readonly Task[];
  readonly placed: readonly Placed[];
  /** Of the tasks that run already. */
  readonly services?: readonly Service[];
  readonly quotas?: ReadonlyMap<string, NamespaceQuota>;
  /** How many slots of each gang were wanted together. */
  readonly gangs?: ReadonlyMap<string, number>;
}

/** One thing on a node: a task or a placement. */
interface Item {
  readonly service: string;
  readonly namespace: string;
  readonly container: ContainerSpec;
  readonly companions: readonly CompanionSpec[];
  readonly units: readonly DeviceUnits[];
  readonly isNew: boolean;
}

/** A node's /24 less network, bridge and broadcast; each task has one. */
const ADDRESSES = 253;
const NOTHING = { tasks: [], services: [], quotas: new Map<string, NamespaceQuota>(), gangs: new Map<string, number>() };

/** One sentence for each rule that is broken. */
export function placementViolations(checked: Checked): readonly string[] {
  const { nodes, placed, tasks, services, quotas, gangs } = { ...NOTHING, ...checked };
  const items = new Map<string, Item[]>(nodes.map(node => [node.id, []]));
  for (const task of tasks) {
    items.get(task.node)?.push({ service: task.serviceId, namespace: task.namespace, container: task.container, companions: task.companions ?? [], units: task.deviceUnits ?? [], isNew: false });
  }
  for (const { service, node, deviceUnits = [] } of placed) {
    items.get(node)?.push({ service: service.id, namespace: service.namespace, container: service.spec.container, companions: service.spec.companions ?? [], units: deviceUnits, isNew: true });
  }
  const byNode = new Map(nodes.map(node => [node.id as string, node]));
  return [
    ...nodes.flatMap(node => nodeSums(node, items.get(node.id) ?? [])),
    ...placed.flatMap(({ service, node }) => nodeRules(service, byNode.get(node))),
    ...maxPerViolations(placed, tasks, byNode),
    ...neighbourViolations(placed, tasks, services, byNode),
    ...[...quotas].flatMap(([namespace, quota]) => quotaViolations(namespace, quota, [...items.values()].flat())),
    ...[...gangs].flatMap(([id, size]) => gangViolations(id, size, placed)),
  ];
}

/** Of tasks that were there before the nodes may be too full; what is new must fit. */
function nodeSums(node: Node, here: readonly Item[]): readonly string[] {
  if (!here.some(one => one.isNew)) return [];
  const sum = (of: (container: ContainerSpec) => number): number => here.reduce((total, { container, companions }) => {
    const sidecars = companions.filter(one => one.role === 'sidecar').reduce((all, one) => all + of(one.container), of(container));
    return total + Math.max(sidecars, ...companions.filter(one => one.role === 'init').map(one => of(one.container)));
  }, 0);
  const ports = here.flatMap(one => one.container.ports).filter(port => port.mode === 'host').map(port => `${port.protocol} ${String(port.published)}`);
  const wrong = [
    sum(one => one.requests.milliCpu) > node.capacity.milliCpu ? 'has too little cpu' : '',
    sum(one => one.requests.memoryBytes) > node.capacity.memoryBytes ? 'has too little memory' : '',
    sum(one => one.requests.diskBytes ?? 0) > (node.capacity.diskBytes ?? Infinity) ? 'has too little disk' : '',
    sum(one => one.requests.pids ?? 0) > (node.pids === 0 ? Infinity : node.pids) ? 'has too few processes' : '',
    here.length > ADDRESSES ? 'has too few addresses' : '',
    new Set(ports).size < ports.length ? 'has a host port twice' : '',
    ...deviceProblems(node, here),
  ];
  return wrong.filter(problem => problem !== '').map(problem => `${node.id} ${problem}`);
}

function deviceProblems(node: Node, here: readonly Item[]): readonly string[] {
  const taken = new Map<string, number>();
  const problems: string[] = [];
  for (const { service, container, units, isNew } of here) {
    for (const { name, count, milli = 1_000 } of container.deviceRequests) {
      const mine = units.find(one => one.name === name)?.units ?? [];
      if (isNew && new Set(mine).size !== count) problems.push(`gives ${service} ${String(mine.length)} of ${name}`);
      mine.forEach(unit => taken.set(`${name} ${String(unit)}`, (taken.get(`${name} ${String(unit)}`) ?? 0) + milli));
      const declared = node.policy.devices.find(one => one.name === name)?.count ?? 0;
      if (mine.some(unit => unit >= declared)) problems.push(`has no such unit of ${name}`);
    }
  }
  return [...problems, ...[...taken].filter(([, milli]) => milli > 1_000).map(([unit]) => `gives ${unit} twice`)];
}

function nodeRules({ id, spec }: Service, node: Node | undefined): readonly string[] {
  if (node === undefined) return [`${id} on a node that is not there`];
  return [
    ...(node.availability === 'active' && node.condition === 'ready' ? [] : [`${id} on ${node.id}, which takes no tasks`]),
    ...node.taints.filter(taint => !spec.placement.tolerate.includes(taint)).map(taint => `${id} on the taint ${taint}`),
    ...spec.placement.require.filter(rule => !holds(rule, node.labels.get(rule.label))).map(rule => `${id} on ${node.id} against ${rule.label} ${rule.operator}`),
    ...(node.runtimes.includes(spec.container.runtime) ? [] : [`${id} on ${node.id} without its runtime`]),
  ];
}

function maxPerViolations(placed: readonly Placed[], tasks: readonly Task[], nodes: ReadonlyMap<string, Node>): readonly string[] {
  const services = new Map(placed.filter(one => one.service.spec.placement.maxPer.length > 0).map(one => [one.service.id, one.service]));
  return [...services.values()].flatMap(({ id, spec }) => spec.placement.maxPer.flatMap(({ label, count }) => {
    const mine = [...placed.filter(one => one.service.id === id), ...tasks.filter(task => task.serviceId === id)];
    const groups = Map.groupBy(mine, one => nodes.get(one.node)?.labels.get(label) ?? '');
    const fresh = Map.groupBy(placed.filter(one => one.service.id === id), one => nodes.get(one.node)?.labels.get(label) ?? '');
    return [...groups].filter(([value, group]) => group.length > count && fresh.has(value)).map(() => `${id} is more than ${String(count)} per ${label}`);
  }));
}

/** What must be near has one there; what must be apart, said by either, has none. */
function neighbourViolations(placed: readonly Placed[], tasks: readonly Task[], services: readonly Service[], nodes: ReadonlyMap<string, Node>): readonly string[] {
  const all = new Map<string, Service>([...services, ...placed.map(one => one.service)].map(service => [service.id, service]));
  const rules = [...all.values()].filter(({ spec }) => [...spec.placement.affinity, ...spec.placement.avoid].some(one => one.weight === undefined));
  if (rules.length === 0) return [];
  const places = Map.groupBy<string, { readonly of: string; readonly node: string }>([...placed.map(one => ({ of: one.service.id, node: one.node })), ...tasks.map(task => ({ of: task.serviceId, node: task.node }))], one => one.of);
  const fresh = new Set<string>(placed.map(one => one.service.id));
  const valuesOf = (id: string, label: string): readonly string[] => (places.get(id) ?? []).map(one => nodes.get(one.node)?.labels.get(label) ?? '');
  return rules.flatMap(({ id, namespace, app, spec }) => {
    const target = (name: string): string => (name.includes('/') ? `${namespace}/${name}` : `${namespace}/${app}/${name}`);
    const near = spec.placement.affinity.filter(one => one.weight === undefined && fresh.has(id))
      .filter(one => valuesOf(id, one.label).some(value => !valuesOf(target(one.service), one.label).includes(value))).map(one => `${id} is not near ${one.service}`);
    const apart = spec.placement.avoid.filter(one => one.weight === undefined && (fresh.has(id) || fresh.has(target(one.service))))
      .filter(one => valuesOf(id, one.label).some(value => valuesOf(target(one.service), one.label).includes(value))).map(one => `${id} is not apart from ${one.service}`);
    return [...near, ...apart];
  });
}

function quotaViolations(namespace: string, quota: NamespaceQuota, items: readonly Item[]): readonly string[] {
  const mine = items.filter(one => one.namespace === namespace);
  if (!mine.some(one => one.isNew)) return [];
  const sum = (of: (item: Item) => number): number => mine.reduce((total, one) => total + of(one), 0);
  const beyond = [
    mine.length > (quota.tasks ?? Infinity) ? 'tasks' : '',
    sum(one => one.container.requests.milliCpu) > (quota.milliCpu ?? Infinity) ? 'cpu' : '',
    sum(one => one.container.requests.memoryBytes) > (quota.memoryBytes ?? Infinity) ? 'memory' : '',
    ...quota.devices.filter(({ name, count }) => sum(one => one.container.deviceRequests.filter(each => each.name === name).reduce((all, each) => all + each.count * (each.milli ?? 1_000), 0)) > count * 1_000).map(({ name }) => name),
  ];
  return beyond.filter(what => what !== '').map(what => `${namespace} is beyond its quota of ${what}`);
}

function gangViolations(id: string, size: number, placed: readonly Placed[]): readonly string[] {
  const count = placed.filter(one => one.service.id === id).length;
  return count === 0 || count === size ? [] : [`${String(count)} of the gang ${id} of ${String(size)}`];
}

/** The most by which the counts of a service's tasks on `nodes` differ; with nodes that have room for all, 1 is even. */
export function unevenness(nodes: readonly Node[], placed: readonly Placed[]): number {
  const counts = new Map(nodes.map(node => [node.id as string, 0]));
  placed.forEach(({ node }) => counts.set(node, (counts.get(node) ?? 0) + 1));
  return counts.size === 0 ? 0 : Math.max(...counts.values()) - Math.min(...counts.values());
}

function holds({ operator, values }: PlacementRule, have: string | undefined): boolean {
  switch (operator) {
    case 'exists': return have !== undefined;
    case 'not-exists': return have === undefined;
    case '==':
    case 'in': return have !== undefined && values.includes(have);
    case '!=':
    case 'not-in': return have === undefined || !values.includes(have);
    case '>': return Number(have) > Number(values[0]);
    case '<': return Number(have) < Number(values[0]);
  }
}
