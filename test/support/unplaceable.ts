/** Services that fit nowhere, for every reason that the scheduler knows; and what a person does with a fix, by its words alone. */
import { parse as parseYaml } from 'yaml';
import { TASK_ADDRESSES } from '#model/addressing.ts';
import type { Service } from '#model/app.ts';
import type { FixEdit } from '#model/cluster-plan.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { parseNodeId } from '#model/ids.ts';
import { CLOSED_NODE_POLICY } from '#model/node.ts';
import type { Node } from '#model/node.ts';
import { parseCpu, parseMemory } from '#model/quantity.ts';
import { parseQuota } from '#model/quota.ts';
import type { Task } from '#model/task.ts';
import { draftRevision } from '../../controller/api/revision.ts';
import type { WantedSlot } from '../../controller/schedule/schedule.ts';
import type { Random } from '../sim/random.ts';
import { node, resources, service, serviceStatus, snapshot, status, T0, task, taskId } from './builders.ts';
import type { NodeOptions } from './builders.ts';
import { appOf, manifest } from './manifest.ts';

type Plain = Record<string, unknown>;

/** A cluster with the App of `document` in it, whose service `web` has tasks neither in `slots` nor anywhere. */
export interface Case {
  readonly document: object;
  readonly state: ClusterSnapshot;
}

interface Draft {
  readonly web: Plain;
  /** Other services of the App. */
  readonly others: Plain;
  readonly rest: Plain;
  readonly nodes: NodeOptions[];
  /** Made once the services are. */
  readonly then: ((services: ReadonlyMap<string, Service>, tasks: TaskMaker) => Partial<Parameters<typeof snapshot>[0]>)[];
  quota?: string;
}

type TaskMaker = (of: Service | undefined, on: string, options?: Partial<Task>) => Task;

/** What an apply of the document makes, by name. */
export function servicesOf(document: object): ReadonlyMap<string, Service> {
  const draft = draftRevision({
    app: appOf(document), secretVersions: new Map(), currentApp: undefined, currentServices: new Map(), currentStatuses: new Map(), freeVirtualIps: ['10.160.0.1', '10.160.0.2', '10.160.0.3'], nowMs: T0,
  });
  return new Map(draft.services.map(one => [one.name, one]));
}

export function slotsOf({ spec }: Service, { nodes }: ClusterSnapshot): readonly WantedSlot[] {
  return spec.kind === 'global'
    ? [...nodes.keys()].sort().map((id, slot) => ({ slot, node: id }))
    : Array.from({ length: spec.replicas }, (_, slot) => ({ slot }));
}

/** Nodes that are wrong in any ways at once. */
export function mixedCase(random: Random): Case {
  const draft = emptyDraft(random, { nodes: random.between(0, 5), isGood: false });
  const texts = [['zone == a', 'zone != b', 'zone in (c, d)'], ['disk == ssd', 'disk exists', 'disk not-exists'], ['rack > 3']];
  Object.assign(draft.web, {
    replicas: 1,
    placement: {
      require: texts.filter(() => random.chance(0.3)).map(group => random.pick(group)), tolerate: random.chance(0.2) ? ['spot'] : [],
      ...(random.chance(0.2) ? { max_per: { node: 1 } } : {}),
    },
    resources: { requests: { cpus: random.between(1, 50) / 10, memory: `${String(random.between(1, 50) * 100)}Mi`, ...(random.chance(0.2) ? { pids: random.between(1, 40) * 100 } : {}) }, limits: { memory: '8Gi', pids: 4_000 } },
    ...(random.chance(0.2) ? { runtime: 'kata' } : {}),
    ...(random.chance(0.1) ? { security: { profile: 'privileged' } } : {}),
    ...(random.chance(0.1) ? { devices: ['/dev/fuse'] } : {}),
    ...(random.chance(0.1) ? { volumes: ['/srv/data:/data'] } : {}),
  });
  return built(draft);
}

/** A service that would fit, but for `reason`. */
export function caseOf(reason: Reason, random: Random): Case {
  const draft = emptyDraft(random, { nodes: random.between(1, 4), isGood: true });
  REASONS[reason](draft, random);
  return built(draft);
}

function emptyDraft(random: Random, { nodes, isGood }: { readonly nodes: number; readonly isGood: boolean }): Draft {
  return {
    web: { replicas: random.between(1, 3), resources: { requests: { cpus: 0.5, memory: '256Mi' } } }, others: {}, rest: {}, then: [],
    nodes: Array.from({ length: nodes }, () => nodeOptions(random, isGood)),
  };
}

function nodeOptions(random: Random, isGood: boolean): NodeOptions {
  const bad = (share: number): boolean => !isGood && random.chance(share);
  const [cores, gibibytes, pids] = isGood ? [4, 4, 4_000] : [random.between(1, 4), random.between(1, 4), random.between(100, 4_000)];
  return {
    labels: { zone: random.pick(['a', 'b']) ?? 'a', ...(bad(0.3) ? { disk: 'ssd' } : {}) }, taints: bad(0.3) ? [random.pick(['spot', 'gpu']) ?? 'spot'] : [],
    availability: bad(0.4) ? random.pick(['cordoned', 'draining'] as const) ?? 'cordoned' : 'active', condition: bad(0.3) ? random.pick(['silent', 'lost'] as const) ?? 'lost' : 'ready',
    capacity: { ...resources(cores * 1_000, gibibytes * 1_024), ...(random.chance(0.5) ? { pids } : {}) },
    runtimes: bad(0.2) ? ['runc'] : ['crun'],
  };
}

function built({ web, others, rest, nodes, then, quota }: Draft): Case {
  const document = manifest(web, rest);
  Object.assign((document as { services: Plain }).services, others);
  const services = servicesOf(document);
  const count = { tasks: 0 };
  const maker: TaskMaker = (of, on, options = {}) => {
    if (of === undefined) throw new Error('no such service');
    count.tasks += 1;
    return task(of, on, { id: taskId(`x${String.fromCharCode(97 + Math.floor(count.tasks / 26))}${String.fromCharCode(97 + count.tasks % 26)}`), ...options });
  };
  const parts = then.map(make => make(services, maker));
  const tasks = parts.flatMap(part => part?.tasks ?? []);
  const made = snapshot({
    nodes: nodes.map((options, index) => node(nameOf(index), options)), services: [...services.values(), ...parts.flatMap(part => part?.services ?? [])], tasks,
    statuses: tasks.map(one => status(one, one.desired === 'stop' ? { phase: 'complete' } : {})), serviceStatuses: parts.flatMap(part => part?.serviceStatuses ?? []),
  });
  return { document, state: quota === undefined ? made : withQuota(made, quota) };
}

function nameOf(index: number): string {
  return `n${String(index + 1)}`;
}

function withQuota(state: ClusterSnapshot, text: string): ClusterSnapshot {
  const parsed = parseQuota(text);
  if ('problem' in parsed) throw new Error(parsed.problem);
  const value = { name: 'default', profile: 'baseline', bindPrefixes: [], quota: parsed.value, createdAtMs: T0, updatedAtMs: T0 } as const;
  return { ...state, namespaces: new Map([['default', { value, createRevision: 1, modRevision: 1 }]]) };
}

/** Every node is so. */
function every(change: (options: NodeOptions, random: Random) => NodeOptions): (draft: Draft, random: Random) => void {
  return ({ nodes }, random) => { nodes.splice(0, nodes.length, ...nodes.map(one => ({ ...one, ...change(one, random) }))); };
}

/** The manifest says so. */
function asking(keys: (random: Random) => Plain): (draft: Draft, random: Random) => void {
  return ({ web }, random) => { Object.assign(web, keys(random)); };
}

/** Another service of the App, with a task on the first node. */
function neighbour(draft: Draft, keys: Plain = {}): void {
  draft.others['db'] = { image: 'postgres', replicas: 1, resources: { requests: { cpus: 0.1, memory: '16Mi' } }, ...keys };
  draft.then.push((services, make) => ({ tasks: [make(services.get('db'), 'n1')] }));
}

/** Every node has a task of it. */
function everywhere(draft: Draft, keys: Plain): void {
  draft.others['db'] = { image: 'postgres', replicas: draft.nodes.length, ...keys };
  draft.then.push((services, make) => ({ tasks: draft.nodes.map((_, index) => make(services.get('db'), nameOf(index), { slot: index })) }));
}

const FULL = { resources: { requests: { cpus: 3.8, memory: '64Mi' }, limits: { cpus: 4 } } };

/** Ways in which a service comes to fit nowhere. */
const REASONS = {
  'no-nodes': ({ nodes }: Draft) => { nodes.length = 0; },
  'cordoned': every(() => ({ availability: 'cordoned' })),
  'draining': every(() => ({ availability: 'draining' })),
  'silent': every(() => ({ condition: 'silent' })),
  'lost': every(() => ({ condition: 'lost' })),
  'taint': every((_, random) => ({ taints: random.pick([['spot'], ['gpu'], ['gpu', 'spot']]) ?? ['gpu'] })),
  'label': asking(random => ({ placement: { require: [random.pick(['tier == web', 'zone in (c, d)', 'rack > 3', 'zone not-exists', 'arch == arm64', 'node == n9'])] } })),
  'rules': asking(() => ({ placement: { require: ['zone == a', 'zone == b'] } })),
  'runtime': asking(() => ({ runtime: 'kata' })),
  'privileged': asking(() => ({ security: { profile: 'privileged' } })),
  'bind': asking(() => ({ volumes: ['/srv/data:/data'] })),
  'device-path': asking(() => ({ devices: ['/dev/fuse'] })),
  'device': (draft: Draft, random: Random) => {
    every(() => ({ policy: { ...CLOSED_NODE_POLICY, devices: random.chance(0.5) ? [{ name: 'acme.com/gpu', count: 1 }] : [] } }))(draft, random);
    asking(() => ({ resources: { requests: { cpus: 0.1, memory: '16Mi', devices: { 'acme.com/gpu': random.between(2, 4) } } } }))(draft, random);
  },
  'cpuset': asking(() => ({ resources: { limits: { cpuset: '2-5' } } })),
  'memory': asking(random => ({ resources: { requests: { memory: `${String(random.between(5, 9))}Gi`, cpus: 0.1 } } })),
  'cpu': asking(random => ({ resources: { requests: { memory: '64Mi', cpus: random.between(5, 9) } } })),
  'pids': (draft: Draft, random: Random) => {
    every(() => ({ capacity: { ...resources(4_000, 4_096), pids: 300 } }))(draft, random);
    asking(() => ({ resources: { requests: { cpus: 0.1, memory: '64Mi', pids: 500 } } }))(draft, random);
  },
  'host-port': (draft: Draft, random: Random) => {
    const ports = [{ published: 8080, target: 80, mode: 'host' }];
    const edge = service({ name: 'edge', app: 'edge', container: { ports: [{ published: 8080, target: 80, protocol: 'tcp', mode: 'host', allowFrom: [] }] } });
    if (random.chance(0.5)) draft.then.push((_, make) => ({ services: [edge], tasks: draft.nodes.map((__, index) => make(edge, nameOf(index), { slot: index })) }));
    Object.assign(draft.web, { ports, replicas: draft.nodes.length + random.between(1, 2) });
  },
  'capability': (draft: Draft, random: Random) => {
    every(() => ({ capabilities: ['hugepages'] }))(draft, random);
    Object.assign(draft.web, { resources: { limits: { storage: '1Gi' } }, replicas: 1 });
  },
  'listening': (draft: Draft, random: Random) => {
    every(() => ({ listeningPorts: ['tcp/22', 'tcp/8080'] }))(draft, random);
    Object.assign(draft.web, { ports: [{ published: 8080, target: 80, mode: 'host' }], replicas: 1 });
  },
  'addresses': (draft: Draft) => {
    const small = service({ name: 'small', app: 'small', container: { requests: resources(0, 0) } });
    draft.nodes.splice(2);
    draft.then.push((_, make) => ({ services: [small], tasks: draft.nodes.flatMap((__, index) => Array.from({ length: TASK_ADDRESSES }, (___, slot) => make(small, nameOf(index), { slot: index * TASK_ADDRESSES + slot }))) }));
  },
  'max-per': (draft: Draft, random: Random) => {
    const label = random.pick(['node', 'zone']) ?? 'node';
    Object.assign(draft.web, { placement: { max_per: { [label]: 1 } }, replicas: draft.nodes.length + random.between(1, 2), resources: { requests: { cpus: 0.1, memory: '16Mi' } } });
  },
  'near-nothing': (draft: Draft) => {
    draft.others['db'] = { image: 'postgres' };
    draft.web['placement'] = { affinity: ['db'] };
  },
  'near-held-back': (draft: Draft, random: Random) => {
    neighbour(draft);
    draft.nodes[0] = { ...draft.nodes[0], ...random.pick<NodeOptions>([{ availability: 'cordoned' }, { taints: ['spot'] }, { runtimes: ['runc'] }]) };
    draft.web['placement'] = { affinity: ['db'] };
  },
  'near-full': (draft: Draft) => {
    neighbour(draft, FULL);
    draft.web['placement'] = { affinity: ['db'] };
  },
  'avoid': (draft: Draft, random: Random) => {
    everywhere(draft, {});
    draft.web['placement'] = { avoid: [random.pick<unknown>(['db', { service: 'db', label: 'zone' }])] };
  },
  'avoided': (draft: Draft, random: Random) => { everywhere(draft, { placement: { avoid: [random.pick<unknown>(['web', { service: 'web', label: 'zone' }])] } }); },
  'volume': (draft: Draft, random: Random) => {
    draft.nodes[0] = { ...draft.nodes[0], ...random.pick<NodeOptions>([{ availability: 'cordoned' }, { condition: 'lost' }, { taints: ['spot'] }, { capacity: resources(100, 4_096) }]) };
    Object.assign(draft.web, { volumes: ['data:/data'] });
    Object.assign(draft.rest, { volumes: { data: {} } });
    draft.then.push((services, make) => ({ tasks: [make(services.get('web'), 'n1', { desired: 'stop' })] }));
  },
  'two-volumes': (draft: Draft) => {
    draft.nodes.push({});
    Object.assign(draft.web, { volumes: ['data:/data', 'logs:/logs'] });
    Object.assign(draft.rest, { volumes: { data: {}, logs: {} } });
    draft.others['db'] = { image: 'postgres', volumes: ['logs:/logs'] };
    draft.then.push((services, make) => ({ tasks: [make(services.get('web'), 'n1', { desired: 'stop', container: { ...webContainer(services), volumes: [{ kind: 'volume', source: 'data', target: '/data', readOnly: false }] } }), make(services.get('db'), 'n2')] }));
  },
  'quota-cpu': (draft: Draft) => { draft.quota = 'cpus=0.3'; },
  'quota-memory': (draft: Draft) => { draft.quota = 'memory=100Mi,tasks=50'; },
  'quota-tasks': (draft: Draft, random: Random) => { draft.quota = `tasks=${String(random.between(0, Number(draft.web['replicas']) - 1))}`; },
  'quota-devices': (draft: Draft, random: Random) => {
    every(() => ({ policy: { ...CLOSED_NODE_POLICY, devices: [{ name: 'acme.com/gpu', count: 9 }] } }))(draft, random);
    asking(() => ({ replicas: 1, resources: { requests: { cpus: 0.1, memory: '16Mi', devices: { 'acme.com/gpu': random.between(2, 4) } } } }))(draft, random);
    draft.quota = `acme.com/gpu=${String(random.between(0, 1))}`;
  },
  'reserved': (draft: Draft) => {
    draft.nodes.length = 1;
    Object.assign(draft.web, { replicas: 1 });
    draft.others['db'] = { image: 'postgres', replicas: 1, placement: { priority: 10 }, ...FULL };
    draft.then.push(services => ({ serviceStatuses: [serviceStatus(requireService(services, 'db'), { pending: [{ slot: 0, reason: 'no room', node: parseNodeId('n1') }] })] }));
  },
  'gang': (draft: Draft) => {
    draft.nodes.length = 1;
    Object.assign(draft.web, { replicas: 3, placement: { gang: true }, resources: { requests: { cpus: 2, memory: '64Mi' }, limits: { cpus: 4 } } });
  },
} satisfies Record<string, (draft: Draft, random: Random) => void>;

export type Reason = keyof typeof REASONS;
export const ALL_REASONS = Object.keys(REASONS) as readonly Reason[];

function requireService(services: ReadonlyMap<string, Service>, name: string): Service {
  const found = services.get(name);
  if (found === undefined) throw new Error(`no service ${name}`);
  return found;
}

function webContainer(services: ReadonlyMap<string, Service>): Task['container'] {
  return requireService(services, 'web').spec.container;
}

/** The case as it is once somebody did what the fix says. @throws Error where the words do not say what to do */
export function applied({ document, state }: Case, edit: FixEdit): Case {
  if (edit.kind === 'node') {
    return { document, state: mended(state, edit) };
  }
  if (edit.path === 'namespaces.default.quota') {
    return { document, state: withQuota(state, edit.value) };
  }
  const changed = structuredClone(document);
  setAt(changed as Plain, edit.path, parseYaml(edit.value));
  const services = new Map([...state.services, ...[...servicesOf(changed).values()].map(value => [value.id, { value, createRevision: 1, modRevision: 1 }] as const)]);
  return { document: changed, state: { ...state, services } };
}

/** As a person finds the place in the file: at each mapping the key that the path goes on with, made where there is none. */
function setAt(at: Plain, path: string, value: unknown): void {
  const known = Object.keys(at).find(one => path.startsWith(`${one}.`) || path.startsWith(`${one}[`));
  if (path in at || (known === undefined && !path.includes('.'))) {
    at[path] = value;
    return;
  }
  const key = known ?? path.split('.', 1)[0] ?? '';
  at[key] ??= {};
  const [place = '', index] = /^(?:\[(\d+)\])?\./.exec(path.slice(key.length)) ?? [];
  const inside = index === undefined ? at[key] : (at[key] as readonly Plain[])[Number(index)];
  setAt(inside as Plain, path.slice(key.length + place.length), value);
}

type NodeEdit = (one: Node) => Partial<Node>;

/** What each phrase of a fix does to a node. */
const PHRASES: readonly (readonly [RegExp, (...words: readonly string[]) => NodeEdit])[] = [
  [/^label it ([^=]+)=(.*)$/, (label = '', text = '') => ({ labels }) => ({ labels: new Map([...labels, [label, text]]) })],
  [/^remove its label (.*)$/, gone => ({ labels }) => ({ labels: new Map([...labels].filter(([key]) => key !== gone)) })],
  [/^remove its taints? (.*)$/, (gone = '') => ({ taints }) => ({ taints: taints.filter(one => !gone.split(', ').includes(one)) })],
  [/^install the runtime (.*)$/, (runtime = '') => ({ runtimes }) => ({ runtimes: [...runtimes, runtime] })],
  [/^give it the cpus (.*)$/, (cpus = '') => () => ({ cpus })],
  [/^upgrade its agent$/, () => () => ({ capabilities: ['storage'] })],
  [/^uncordon it$/, () => () => ({ availability: 'active' })],
  [/^bring it back$/, () => () => ({ availability: 'active', condition: 'ready' })],
  [/^give it (.*) more cpu$/, (text = '') => ({ capacity }) => ({ capacity: { ...capacity, milliCpu: capacity.milliCpu + valueOf(parseCpu(text)) } })],
  [/^give it (.*) more memory$/, (text = '') => ({ capacity }) => ({ capacity: { ...capacity, memoryBytes: capacity.memoryBytes + valueOf(parseMemory(text)) } })],
  [/^give it (.*) more pids$/, (text = '') => ({ capacity }) => ({ capacity: { ...capacity, pids: (capacity.pids ?? 0) + Number(text) } })],
  [/^give it (.*) more of device (.*)$/, (text = '', name = '') => ({ policy }) => ({
    policy: { ...policy, devices: [{ name, count: Number(text) + (policy.devices.find(one => one.name === name)?.count ?? 0) }] },
  })],
  [/^start its agent with --allow-privileged$/, () => ({ policy }) => ({ policy: { ...policy, allowsPrivileged: true } })],
  [/^start its agent with --bind-prefixes (.*)$/, (prefix = '') => ({ policy }) => ({ policy: { ...policy, bindPrefixes: [...policy.bindPrefixes, prefix] } })],
  [/^start its agent with --device-paths (.*)$/, (prefix = '') => ({ policy }) => ({ policy: { ...policy, devicePaths: [...policy.devicePaths, prefix] } })],
];

const valueOf = (parsed: ReturnType<typeof parseCpu>): number => ('value' in parsed ? parsed.value : Number.NaN);

function changed(one: Node, change: string): Node {
  return change.split('; ').reduce((current, phrase) => {
    const known = PHRASES.map(([pattern, edit]) => ({ words: pattern.exec(phrase), edit })).find(({ words }) => words !== null);
    if (known === undefined) throw new Error(`nobody knows how to "${phrase}"`);
    return { ...current, ...known.edit(...known.words?.slice(1) ?? [])(current) };
  }, one);
}

const MACHINE_KEYS = ['cpu', 'memory', 'disk', 'pids', 'runtime', 'cpus', 'bind-prefix', 'device-path', 'allow-privileged'];

function added(name: string, text: string): Node {
  const pairs = text.split(',').map(pair => pair.split('=') as [string, string]);
  const all = (key: string): readonly string[] => pairs.filter(([one]) => one === key).map(([, value]) => value);
  const [cpu = '', memory = '', disk, pids] = ['cpu', 'memory', 'disk', 'pids'].map(key => all(key)[0]);
  return node(name, {
    capacity: { milliCpu: valueOf(parseCpu(cpu)), memoryBytes: valueOf(parseMemory(memory)), ...(disk === undefined ? {} : { diskBytes: valueOf(parseMemory(disk)) }), ...(pids === undefined ? {} : { pids: Number(pids) }) },
    labels: Object.fromEntries(pairs.filter(([key]) => !MACHINE_KEYS.includes(key) && key !== 'device').map(([key, value]) => [key.replace(/^label\./, ''), value])),
    runtimes: ['crun', ...all('runtime')], cpus: all('cpus')[0]?.replaceAll('+', ',') ?? '0-3',
    policy: {
      bindPrefixes: all('bind-prefix'), devicePaths: all('device-path'), allowsPrivileged: all('allow-privileged').length > 0,
      devices: pairs.filter(([key]) => key === 'device').map(([, text]) => ({ name: text.split(':')[0] ?? '', count: Number(text.split(':')[1]) })),
    },
  });
}

/** The cluster with the node as the fix's words make it. */
function mended(state: ClusterSnapshot, { node: name, change }: Extract<FixEdit, { readonly kind: 'node' }>): ClusterSnapshot {
  const current = state.nodes.get(parseNodeId(name))?.value;
  const value = current === undefined ? added(name, change.replace('add ', '')) : changed(current, change);
  return { ...state, nodes: new Map(state.nodes).set(value.id, { value, createRevision: 1, modRevision: 1 }) };
}
