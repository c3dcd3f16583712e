/** Names of the cluster that may follow at a tab: services, tasks, Apps and nodes, as each verb takes them. */
import type { ClusterView, ListFilter } from '#model/ports.ts';
import { commandPath } from './completion.ts';
import type { CompletionCommand } from './completion.ts';
import { DEFAULT_NAMESPACE } from './options.ts';
import { parseTarget, typeOf, TYPE_NAMES } from './target.ts';
import type { TargetType } from './target.ts';

type Named = Extract<TargetType, 'service' | 'task' | 'app' | 'node'>;

const CONTAINERS: readonly Named[] = ['service', 'task'];
const ANYTHING: readonly Named[] = ['service', 'task', 'app', 'node'];
const of = (names: readonly Named[], ...verbs: readonly string[]): readonly (readonly [string, readonly Named[]])[] => verbs.map(verb => [verb, names] as const);

/** What the arguments of a verb name. */
const TAKES: ReadonlyMap<string, readonly Named[]> = new Map([
  ...of(CONTAINERS, 'logs', 'exec', 'attach', 'debug', 'cp', 'port-forward', 'stop', 'restart', 'kill', 'pause', 'unpause', 'update', 'stats', 'why', 'wait'),
  ...of(ANYTHING, 'describe', 'inspect', 'events', 'ps', 'delete'),
  ...of(['service'], 'scale', 'trigger', 'rollout status', 'rollout pause', 'rollout resume', 'rollout abort', 'rollout promote', 'rollout restart'),
  ...of(['service', 'app'], 'rollout history', 'rollout undo', 'rollback'),
  ...of(['task'], 'migrate'),
  ...of(['node'], 'node drain', 'node inspect', 'node cordon', 'node uncordon', 'node label', 'node taint', 'node rm', 'node replace', 'node confirm-lost', 'label', 'dev cut'),
]);
const NODE_FLAGS: readonly string[] = ['--node', '--to', '--without-node'];
const NAMESPACE_FLAGS: readonly string[] = ['-n', '--namespace'];

/** Objects that no view has: they are asked for by a call of their own. */
const LISTED_TYPES = ['volume', 'secret'] as const;
export type Listed = (typeof LISTED_TYPES)[number];

/** What the arguments of a verb name of those. */
const LISTED: ReadonlyMap<string, Listed> = new Map([
  ['volume ls', 'volume'], ['volume inspect', 'volume'], ['volume rm', 'volume'], ['secret rm', 'secret'], ['secret inspect', 'secret'],
]);

/** What may stand where the last of `words` is being typed. `types`: words for types; nothing of all where no name may. */
export interface WantedNames {
  readonly kinds: readonly Named[];
  readonly types: readonly string[];
  readonly listed?: Listed;
}

const NO_NAMES: WantedNames = { kinds: [], types: [] };

export function wantedNames(root: CompletionCommand, words: readonly string[]): WantedNames {
  const path = commandPath(root, words.slice(0, -1));
  const command = path.at(-1) ?? root;
  const verb = path.slice(1).map(({ name }) => name).join(' ');
  const [before = '', typed = ''] = ['', ...words].slice(-2);
  const isGroup = command.children.length > 0;
  if (isGroup || typed.startsWith('-') || NAMESPACE_FLAGS.includes(before)) {
    return NO_NAMES;
  }
  if (NODE_FLAGS.includes(before)) {
    return { kinds: ['node'], types: [] };
  }
  const listed = LISTED.get(verb);
  return verb === 'get' ? wantedOfGet(words, typed) : { kinds: TAKES.get(verb) ?? [], types: [], ...(listed === undefined ? {} : { listed }) };
}

/** `get svc,tasks NAME` and `get svc/NAME node/NAME`. */
function wantedOfGet(words: readonly string[], typed: string): WantedNames {
  const [first] = words.slice(words.indexOf('get') + 1, -1).filter(word => !word.startsWith('-'));
  if (typed.includes('/') && typeOf(typed.slice(0, typed.indexOf('/'))) !== undefined) {
    return { kinds: ANYTHING, types: [] };
  }
  const list = typed.slice(0, typed.lastIndexOf(',') + 1);
  const types = first?.split(',').map(typeOf);
  const listed = LISTED_TYPES.find(type => types?.includes(type));
  return { kinds: ANYTHING.filter(kind => types?.includes(kind)), types: first === undefined ? TYPE_NAMES.map(name => `${list}${name}`) : [], ...(listed === undefined ? {} : { listed }) };
}

/** The namespace that the words name, as every verb reads it. */
export function wantedNamespace(words: readonly string[]): ListFilter {
  const flag = words.findIndex(word => NAMESPACE_FLAGS.includes(word));
  const isAll = words.includes('-A') || words.includes('--all-namespaces');
  return isAll ? {} : { namespace: flag < 0 ? DEFAULT_NAMESPACE : words[flag + 1] ?? DEFAULT_NAMESPACE };
}

/** Sorted; after `svc/` and the like only names of that type. @param listed  names of what is wanted beside the view */
export function completeNames({ kinds, types }: WantedNames, typed: string, view: Pick<ClusterView, 'services' | 'tasks' | 'apps' | 'nodes'>, listed: readonly string[] = []): readonly string[] {
  const { type } = parseTarget(typed);
  const prefix = type === undefined ? '' : typed.slice(0, typed.indexOf('/') + 1);
  const names = kinds.filter(kind => type === undefined || kind === type).flatMap(kind => namesOf(kind, view)).map(name => `${prefix}${name}`);
  return [...new Set([...types, ...names, ...listed])].filter(name => name.startsWith(typed)).toSorted();
}

function namesOf(kind: Named, { services, tasks, apps, nodes }: Pick<ClusterView, 'services' | 'tasks' | 'apps' | 'nodes'>): readonly string[] {
  switch (kind) {
    case 'service': return services.map(({ service }) => `${service.app}/${service.name}`);
    case 'task': return tasks.filter(({ task }) => task.desired === 'run').map(({ task }) => task.name);
    case 'app': return apps.map(({ name }) => name);
    case 'node': return nodes.map(({ node }) => node.id);
  }
}
