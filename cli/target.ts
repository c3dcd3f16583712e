/** What a person names: `svc/shop/web`, `task/k3f9...`, `node/n3`, `shop/web`, `web`. */
import type { App } from '#model/app.ts';
import { ClusterError } from '#model/errors.ts';
import { nearestWord } from '#model/nearest-word.ts';
import type { ClusterView, NodeView, ServiceView, TaskView } from '#model/ports.ts';
import { quoted } from '#model/printable.ts';
import { isFinished } from '#model/task.ts';
import { formatTime } from './format/age.ts';
import { inNamespace } from './options.ts';
import { parseReplicaAddress, servicesAt, tasksAt } from './replica-address.ts';

export const TARGET_TYPES = ['service', 'task', 'node', 'app', 'config', 'secret', 'volume', 'event'] as const;
export type TargetType = (typeof TARGET_TYPES)[number];

const TYPE_WORDS: Readonly<Record<string, TargetType>> = {
  service: 'service', services: 'service', svc: 'service', job: 'service', jobs: 'service',
  cron: 'service', crons: 'service', cronjob: 'service', cronjobs: 'service', cj: 'service',
  task: 'task', tasks: 'task', node: 'node', nodes: 'node', no: 'node', app: 'app', apps: 'app',
  config: 'config', configs: 'config', cm: 'config', secret: 'secret', secrets: 'secret',
  volume: 'volume', volumes: 'volume', vol: 'volume', event: 'event', events: 'event', ev: 'event',
};

/** Words of kubectl's `get`, and what lists such things here. */
const LISTED_ELSEWHERE: Readonly<Record<string, string>> = {
  pod: 'ps', pods: 'ps', po: 'ps', all: 'get apps,svc,tasks', pvc: 'get volumes', pv: 'get volumes',
  namespace: 'namespace ls', namespaces: 'namespace ls', ns: 'namespace ls', image: 'images', images: 'images',
  deployment: 'get svc', deployments: 'get svc', deploy: 'get svc', statefulset: 'get svc', daemonset: 'get svc',
};

/** Words of `service` that mean one kind of it alone. */
const KIND_WORDS: Readonly<Record<string, 'job' | 'cron'>> = { job: 'job', jobs: 'job', cron: 'cron', crons: 'cron', cronjob: 'cron', cronjobs: 'cron', cj: 'cron' };

/** Characters of a task's id that a person must at least give. */
const MIN_ID_START = 3;

export interface Target {
  /** Absent: whatever has that name. */
  readonly type?: TargetType;
  readonly name: string;
}

/** Types that no view of the cluster holds: a call of its own lists each. */
export const UNVIEWED_TYPES = ['config', 'secret', 'volume'] as const;
export type UnviewedType = (typeof UNVIEWED_TYPES)[number];

export function isUnviewed(type: TargetType | undefined): type is UnviewedType {
  return UNVIEWED_TYPES.some(one => one === type);
}

export type Found =
  | { readonly kind: 'app'; readonly app: App }
  | { readonly kind: 'service'; readonly service: ServiceView }
  | { readonly kind: 'task'; readonly task: TaskView }
  | { readonly kind: 'node'; readonly node: NodeView };

/** One word for each type, as `get` takes them. */
export const TYPE_NAMES: readonly string[] = ['apps', 'svc', 'jobs', 'crons', 'tasks', 'nodes', 'configs', 'secrets', 'volumes', 'events'];

export function typeOf(word: string): TargetType | undefined {
  return Object.hasOwn(TYPE_WORDS, word) ? TYPE_WORDS[word] : undefined;
}

/** `job` for `jobs`; undefined for words that mean services of every kind, and for other types. */
export function kindOf(word: string): 'job' | 'cron' | undefined {
  return Object.hasOwn(KIND_WORDS, word) ? KIND_WORDS[word] : undefined;
}

/** The type that a word of `get` names. @throws ClusterError INVALID_ARGUMENT with the nearest word */
export function parseType(word: string): TargetType {
  const type = typeOf(word);
  if (type !== undefined) {
    return type;
  }
  const elsewhere = Object.hasOwn(LISTED_ELSEWHERE, word) ? LISTED_ELSEWHERE[word] : undefined;
  const near = nearestWord(word, Object.keys(TYPE_WORDS));
  throw new ClusterError('INVALID_ARGUMENT', `unknown type ${quoted(word)}; ${elsewhere !== undefined ? `see: clusterctl ${elsewhere}` : near === undefined ? `types: ${TARGET_TYPES.join(', ')}` : `did you mean '${near}'?`}`);
}

export function parseTarget(text: string): Target {
  const [first = '', ...rest] = text.split('/');
  const type = rest.length > 0 ? typeOf(first) : undefined;
  return type === undefined ? { name: text } : { type, name: rest.join('/') };
}

/** Everything of the view that the target may mean: objects of that name, else replicas, else tasks whose id begins so. */
export function findTargets(target: Target, view: ClusterView): readonly Found[] {
  const wants = (type: TargetType): boolean => target.type === undefined || target.type === type;
  const { name } = target;
  const services = wants('service') ? view.services.filter(({ service }) => isServiceNamed(service, name)) : [];
  const tasks = wants('task') ? view.tasks.filter(({ task }) => task.id === name || task.name === name) : [];
  const nodes = wants('node') ? view.nodes.filter(({ node }) => node.id === name) : [];
  const apps = wants('app') ? view.apps.filter(app => app.name === name || `${app.namespace}/${app.name}` === name) : [];
  const exact: readonly Found[] = [
    ...services.map(service => ({ kind: 'service', service }) as const),
    ...tasks.map(task => ({ kind: 'task', task }) as const),
    ...nodes.map(node => ({ kind: 'node', node }) as const),
    ...apps.map(app => ({ kind: 'app', app }) as const),
  ];
  return exact.length > 0 || !wants('task') ? exact : partialTasks(name, view).map(task => ({ kind: 'task', task }));
}

function partialTasks(name: string, { tasks }: ClusterView): readonly TaskView[] {
  const address = parseReplicaAddress(name);
  const replicas = address === undefined ? [] : tasksAt(address, tasks);
  return replicas.length > 0 || name.length < MIN_ID_START ? replicas : tasks.filter(({ task }) => task.id.startsWith(name));
}

/** The one thing that `text` means. @throws ClusterError NOT_FOUND, or INVALID_ARGUMENT when it may mean several */
export function requireTarget<Kind extends Found['kind']>(text: string, view: ClusterView, kinds: readonly Kind[]): Extract<Found, { readonly kind: Kind }> {
  const isWanted = (found: Found): found is Extract<Found, { readonly kind: Kind }> => kinds.some(kind => kind === found.kind);
  const found = findTargets(parseTarget(text), view).filter(isWanted);
  const [only, other] = found;
  if (only === undefined) {
    throw new ClusterError('NOT_FOUND', describeMissing(text, view, kinds));
  }
  if (other !== undefined) {
    throw new ClusterError('INVALID_ARGUMENT', `${quoted(text)} may mean ${found.map(describeFound).join(' or ')}; write one of them`);
  }
  return only;
}

/** Nodes alone are in no namespace. */
function describeMissing(text: string, view: ClusterView, kinds: readonly Found['kind'][]): string {
  if (typeOf(text) !== undefined) {
    return `${quoted(text)} is a type; write ${text}/NAME`;
  }
  const { namespace } = view;
  const { type, name } = parseTarget(text);
  const replicas = kinds.includes('task') && (type === undefined || type === 'task') ? describeMissingReplica(name, view) : undefined;
  if (replicas !== undefined) {
    return replicas;
  }
  const named = kinds.find(kind => kind === type);
  const words = named === undefined ? kinds : [named];
  const where = words.every(kind => kind === 'node') ? '' : inNamespace(namespace);
  return `no ${words.join(' or ')} is named ${quoted(named === undefined ? text : name)}${where}; see clusterctl get ${words.includes('service') ? 'svc' : `${words[0] ?? 'app'}s`} -A`;
}

/** Of an address whose service exists: which replicas there are. */
function describeMissingReplica(name: string, { services, tasks }: ClusterView): string | undefined {
  const address = parseReplicaAddress(name);
  const [found] = address === undefined ? [] : servicesAt(address, services);
  if (found === undefined) {
    return undefined;
  }
  const { id, app, name: service, namespace } = found.service;
  const slots = [...new Set(tasks.filter(({ task }) => task.serviceId === id).map(({ task }) => task.slot))].toSorted((left, right) => left - right);
  const there = slots.length === 0 ? 'it has no task' : `it has ${slots.map(slot => `${service}-${String(slot)}`).join(', ')}`;
  return `service/${app}/${service} has no replica ${quoted(name)}; ${there}; see clusterctl ps -n ${namespace} ${app}/${service}`;
}

/** `service/shop/web`, `task/ID`, `node/n1`, `app/shop`. */
export function describeFound(found: Found): string {
  switch (found.kind) {
    case 'app':
      return `app/${found.app.name}`;
    case 'service':
      return `service/${found.service.service.app}/${found.service.service.name}`;
    case 'task':
      return `task/${found.task.task.id}`;
    case 'node':
      return `node/${found.node.node.id}`;
  }
}

export interface Workload {
  readonly found: Exclude<Found, { readonly kind: 'node' }>;
  readonly tasks: readonly TaskView[];
}

/** What runs containers: a service, a task, or an App of one service, as `run` makes them. @throws ClusterError as `requireTarget` */
export function requireWorkload(text: string, view: ClusterView): Workload {
  const isApp = findTargets(parseTarget(text), view).every(({ kind }) => kind === 'app' || kind === 'node');
  const found = isApp ? requireTarget(text, view, ['service', 'task', 'app']) : requireTarget(text, view, ['service', 'task']);
  if (found.kind === 'task') {
    return { found, tasks: [found.task] };
  }
  if (found.kind === 'service') {
    return { found, tasks: view.tasks.filter(({ task }) => task.serviceId === found.service.service.id) };
  }
  const services = view.services.filter(({ service }) => service.namespace === found.app.namespace && service.app === found.app.name);
  if (services.length !== 1) {
    throw new ClusterError('INVALID_ARGUMENT', `${describeFound(found)} has ${String(services.length)} services; name one: ${services.map(({ service }) => `${service.app}/${service.name}`).join(', ')}`);
  }
  return { found, tasks: view.tasks.filter(({ task }) => task.namespace === found.app.namespace && task.app === found.app.name) };
}

/**
 * The task of the target where a process is to run: the task itself, or the first running one of the service by slot. A named container may
 * be one that runs before the main one.
 *
 * @throws ClusterError NOT_FOUND for a container that no task of the target has
 */
export function requireRunningTask(text: string, view: ClusterView, container?: string): TaskView {
  const { found, tasks: candidates } = requireWorkload(text, view);
  requireContainer(candidates, container);
  const running = candidates.filter(({ state }) => state === 'running' || (container !== undefined && (state === 'preparing' || state === 'starting'))).toSorted((left, right) => left.task.slot - right.task.slot);
  const [first] = running;
  if (first === undefined) {
    const states = telling(candidates).map(one => describeState(one, view)).join(', ');
    throw new ClusterError('FAILED_PRECONDITION', `${describeFound(found)} is not running${states === '' ? '' : ` (${states})`}`);
  }
  return first;
}

/** Those that have not ended, or else the one that was made last. */
function telling(tasks: readonly TaskView[]): readonly TaskView[] {
  const live = tasks.filter(({ status }) => !isFinished(status?.phase ?? 'pending'));
  return live.length > 0 ? live : tasks.toSorted((left, right) => right.task.createdAtMs - left.task.createdAtMs).slice(0, 1);
}

/** A lost task is so since its node is. */
function describeState({ task, state }: TaskView, { nodes }: ClusterView): string {
  const node = state === 'lost' ? nodes.find(one => one.node.id === task.node)?.node : undefined;
  return `${task.name} is ${state}${node === undefined ? '' : `: node ${node.id} is ${node.condition} since ${formatTime(node.conditionSinceMs) ?? ''}, see clusterctl describe node/${node.id}`}`;
}

/** @throws ClusterError NOT_FOUND with the names there are */
export function requireContainer(tasks: readonly TaskView[], name: string | undefined): void {
  const names = [...new Set(tasks.flatMap(({ task }) => [task.service, ...(task.companions ?? []).map(companion => companion.name)]))];
  if (name !== undefined && names.length > 0 && !names.includes(name)) {
    const near = nearestWord(name, names);
    throw new ClusterError('NOT_FOUND', `no container is named ${quoted(name)}; ${near === undefined ? `there are ${names.join(', ')}` : `did you mean '${near}'?`}`);
  }
}

function isServiceNamed(service: { readonly namespace: string; readonly app: string; readonly name: string }, name: string): boolean {
  return service.name === name || `${service.app}/${service.name}` === name || `${service.namespace}/${service.app}/${service.name}` === name;
}
