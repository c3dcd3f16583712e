/** Rejections as one sentence that a person can act on. */
import { TASK_ADDRESSES } from '#model/addressing.ts';
import type { RuleReason } from '#model/cluster-plan.ts';
import type { QuotaGap } from './quota.ts';
import type { Rejection } from './schedule.ts';
import { WHOLE } from '#model/device-share.ts';
import type { Amount, Obstacle } from './filters.ts';
import { groupKey, summarize } from './obstacle-summary.ts';
import type { ObstacleGroup, ObstacleSummary } from './obstacle-summary.ts';

/** Causes that a sentence names. */
const MAX_CAUSES = 10;

type Causes = Pick<ObstacleGroup, 'first' | 'best'>;

/**
 * `no node fits: 2 of 3 nodes have not enough memory free (need 512Mi, most free 200Mi on n2); 1 node is cordoned`.
 * Biggest group first; groups of one size in the order of their names.
 */
export function explainObstacles(obstacles: readonly Obstacle[]): string {
  return explainSummary(summarize(obstacles));
}

export function explainSummary({ total, groups }: ObstacleSummary): string {
  const [largest] = groups;
  if (largest === undefined) {
    return 'no node fits: the cluster has no nodes';
  }
  if (largest.first.kind === 'quota') {
    return `the quota of namespace ${largest.first.namespace} is used up: ${quotaSentence(largest.first)}`;
  }
  const sentences = groups.slice(0, MAX_CAUSES).map((group, index) => {
    const of = index === 0 ? ` of ${String(total)}` : '';
    const isOne = group.count === 1 && index > 0 || total === 1;
    return `${String(group.count)}${of} ${isOne ? 'node' : 'nodes'} ${phrase(group, group.count === 1)}`;
  });
  const rest = groups.slice(MAX_CAUSES).reduce((sum, { count }) => sum + count, 0);
  return `no node fits: ${sentences.join('; ')}${rest === 0 ? '' : `; and ${String(rest)} ${rest === 1 ? 'node' : 'nodes'} for other reasons`}`;
}

function quotaSentence({ resource, need, free, limit }: QuotaGap): string {
  return `${resource}: need ${quotaAmount(resource, need)}, left ${quotaAmount(resource, free)} of ${quotaAmount(resource, limit)}`;
}

/** As `explainSummary`; of a gang also how many of it would have fitted. */
export function explainRejection({ obstacles, gang }: Pick<Rejection, 'obstacles' | 'gang'>): string {
  const sentence = explainSummary(obstacles);
  return gang === undefined ? sentence : `only ${String(gang.fitting)} of the gang of ${String(gang.size)} fit at once; ${sentence}`;
}

/** What keeps one node out, of whatever services: `is draining`, `has the taint spot, which the service does not tolerate`; each cause once, in the order of their names. */
export function explainNode(obstacles: readonly Obstacle[]): string {
  const causes = new Map(obstacles.map(obstacle => [groupKey(obstacle), obstacle]));
  return [...causes].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, first]) => phrase({ first, best: first }, true)).join('; ');
}

/** The obstacles as data: one reason a cause, biggest group first; each names some of its nodes. */
export function reasonsOf({ groups }: ObstacleSummary): readonly RuleReason[] {
  return groups.map(group => ({
    rule: ruleOf(group.first), nodes: group.nodes, ...haveAndNeed(group),
    sentence: `${String(group.count)} ${group.count === 1 ? 'node' : 'nodes'} ${phrase(group, group.count === 1)}`,
  }));
}

/** The rule by its name in a manifest, where it has one. */
function ruleOf(obstacle: Obstacle): string {
  switch (obstacle.kind) {
    case 'node': return obstacle.state;
    case 'taint': return `taint ${obstacle.taint}`;
    case 'label': return `require ${obstacle.rule}`;
    case 'volume':
    case 'volume-removal': return `volume ${obstacle.volume}`;
    case 'host-port': return `host port ${obstacle.port}`;
    case 'max-per': return `max_per ${obstacle.label}`;
    case 'runtime': return `runtime ${obstacle.runtime}`;
    case 'cpuset': return `cpuset ${obstacle.cpuset}`;
    case 'hugepages': return `hugepages ${formatMemory(obstacle.pageBytes)}`;
    default: return isShort(obstacle) ? obstacle.kind : openingRule(obstacle);
  }
}

type ShortObstacle = Extract<Obstacle, { readonly kind: Amount }>;
type OpeningObstacle = Extract<Obstacle, { readonly kind: 'privileged' | 'deadman' | 'network' | 'capability' | 'hugepages' | 'bind' | 'device-path' | 'device' | 'near' | 'avoid' | 'quota' | 'reserved' | 'address' }>;

function isShort(obstacle: Obstacle): obstacle is ShortObstacle {
  return ['memory', 'cpu', 'disk', 'pids'].includes(obstacle.kind);
}

const PORT_USES = { task: 'taken', process: 'in use by a process that is not a task' } as const;

/** What nodes have and the task needs, for obstacles whose text is the same on each node. */
const SAME_NEEDS = {
  privileged: { have: 'not allowed', need: '--allow-privileged' }, deadman: { have: 'none at work', need: 'gantry-deadman' }, address: { have: '0', need: '1' },
} as const;

function openingNeeds(first: OpeningObstacle, best: Obstacle): Pick<RuleReason, 'have' | 'need'> {
  switch (first.kind) {
    case 'network': return { have: first.fault, need: 'no fault' };
    case 'capability': return { have: `agent ${first.agentVersion}`, need: `an agent with ${first.capability}` };
    case 'hugepages': return { have: first.sizes.map(size => formatMemory(size)).join(', ') || 'none', need: formatMemory(first.pageBytes) };
    case 'bind': return { have: 'other --bind-prefixes', need: first.hostPath };
    case 'device-path': return { have: 'other --device-paths', need: first.hostPath };
    case 'device': return { have: String('free' in best ? Math.max(0, best.free) : 0), need: deviceNeed(first) };
    case 'privileged':
    case 'deadman':
    case 'address': return SAME_NEEDS[first.kind];
    default: return sharingNeeds(first);
  }
}

function sharingNeeds(first: Extract<Obstacle, { readonly kind: 'near' | 'avoid' | 'quota' | 'reserved' }>): Pick<RuleReason, 'have' | 'need'> {
  switch (first.kind) {
    case 'near': return { have: 'none of its tasks', need: first.service };
    case 'avoid': return { have: first.service, need: 'none of its tasks' };
    case 'quota': return { have: quotaAmount(first.resource, first.free), need: quotaAmount(first.resource, first.need) };
    case 'reserved': return { have: `room for ${first.service}`, need: `priority above ${String(first.priority)}` };
  }
}

function openingRule(obstacle: Exclude<OpeningObstacle, { readonly kind: 'hugepages' }>): string {
  switch (obstacle.kind) {
    case 'privileged': return 'profile privileged';
    case 'deadman': return 'on_disconnect.stop_after';
    case 'capability': return `capability ${obstacle.capability}`;
    case 'bind': return `host path ${obstacle.hostPath}`;
    case 'device-path': return `device ${obstacle.hostPath}`;
    case 'device': return `device ${obstacle.device}`;
    case 'near': return `affinity ${obstacle.service}`;
    case 'avoid': return `avoid ${obstacle.service}`;
    case 'quota': return `quota ${obstacle.resource}`;
    case 'address': return 'addresses';
    case 'reserved': return `room for ${obstacle.service}`;
    default: return obstacle.kind;
  }
}

function haveAndNeed({ first, best }: Causes): Pick<RuleReason, 'have' | 'need'> {
  switch (first.kind) {
    case 'node': return { have: first.state, need: 'ready and active' };
    case 'taint': return { have: first.taint, need: `tolerate: [${first.taint}]` };
    case 'label': return { have: 'other labels', need: first.rule };
    case 'volume': return { have: `data on ${first.home}`, need: first.home };
    case 'volume-removal': return { have: 'old data', need: 'none' };
    case 'host-port': return { have: PORT_USES[first.user], need: 'free' };
    case 'max-per': return { have: String(first.count), need: String(first.count + 1) };
    case 'runtime': return { have: 'other runtimes', need: first.runtime };
    case 'cpuset': return { have: first.cpus, need: first.cpuset };
    default: return isShort(first) ? { have: amount(first.kind, 'free' in best ? best.free : 0), need: amount(first.kind, first.need) } : openingNeeds(first, best);
  }
}

/** An amount as a manifest writes it. */
export function amount(kind: Amount, value: number): string {
  const shown = Math.max(0, value);
  switch (kind) {
    case 'cpu': return formatCpu(shown);
    case 'pids': return String(shown);
    case 'memory':
    case 'disk': return formatMemory(shown);
  }
}

/** An amount of a quota; of devices in units. */
function quotaAmount(resource: string, value: number): string {
  switch (resource) {
    case 'cpu':
    case 'memory': return amount(resource, value);
    case 'tasks': return String(value);
    default: return String(value / WHOLE);
  }
}

/** What the group's nodes are or have, in the singular and the plural. */
function phrase({ first, best }: Causes, isOne: boolean): string {
  switch (first.kind) {
    case 'node':
      return `${isOne ? 'is' : 'are'} ${first.state}`;
    case 'volume':
      return `${isOne ? 'is' : 'are'} not ${first.home}, which has the data of volume ${first.volume}`;
    case 'volume-removal':
      return `${isOne ? 'has' : 'have'} to delete the data of volume ${first.volume} first, which was given up`;
    case 'label':
      return `${isOne ? 'breaks' : 'break'} the rule "${first.rule}"`;
    case 'deadman':
      return `${isOne ? 'has' : 'have'} no gantry-deadman at work, which stops tasks with stop_after when the agent cannot`;
    default:
      return `${isOne ? 'has' : 'have'} ${possession({ first, best }, isOne)}`;
  }
}

type Possession = Exclude<Obstacle, { readonly kind: 'node' | 'volume' | 'volume-removal' | 'label' | 'deadman' }>;

function possession({ first, best }: { readonly first: Possession; readonly best: Obstacle }, isOne: boolean): string {
  switch (first.kind) {
    case 'taint':
      return `the taint ${first.taint}, which the service does not tolerate`;
    case 'network':
      return `a network fault${isOne ? ` ("${first.fault}")` : ', which clusterctl node ls -o wide shows'}`;
    case 'runtime':
      return `no runtime ${first.runtime}`;
    case 'cpuset':
      return `no cpus ${first.cpuset} (has ${first.cpus})`;
    case 'max-per':
      return `max_per ${first.label} = ${String(first.count)} reached`;
    case 'host-port':
      return `host port ${first.port} ${PORT_USES[first.user]}`;
    case 'address':
      return `no address free (a node has ${String(TASK_ADDRESSES)}, one for each task)`;
    case 'quota':
      return `no part in what the quota leaves (${quotaAmount(first.resource, first.free)} of ${first.resource})`;
    default:
      if ('service' in first) return company(first);
      return 'need' in first ? scarcity(first, best) : closedDoor(first);
  }
}

function closedDoor(first: Extract<Obstacle, { readonly kind: 'privileged' | 'capability' | 'hugepages' | 'bind' | 'device-path' }>): string {
  switch (first.kind) {
    case 'hugepages':
      return `no limit for huge pages of ${formatMemory(first.pageBytes)}: the size or the hugetlb controller is missing`;
    case 'privileged':
      return 'no permission for profile privileged';
    case 'capability':
      return `an agent (${first.agentVersion}) that ignores ${first.capability}; upgrade it`;
    case 'bind':
      return `no host path ${first.hostPath} to bind`;
    case 'device-path':
      return `no device ${first.hostPath} to give`;
  }
}

function company(first: Extract<Obstacle, { readonly kind: 'near' | 'avoid' | 'reserved' }>): string {
  switch (first.kind) {
    case 'near':
      return `no task of ${first.service} on the same ${first.label}, which it must be near`;
    case 'avoid':
      return `a task of ${first.service} on the same ${first.label}, which must be apart from it`;
    case 'reserved':
      return `room that is being made for ${first.service}, of priority ${String(first.priority)}`;
  }
}

function scarcity(first: Extract<Obstacle, { readonly kind: Amount | 'device' }>, best: Obstacle): string {
  switch (first.kind) {
    case 'device':
      return `not enough of device ${first.device} free (need ${deviceNeed(first)}, most free ${String('free' in best ? Math.max(0, best.free) : 0)} on ${best.node})`;
    case 'memory':
    case 'cpu':
    case 'disk':
    case 'pids':
      return `not enough ${first.kind} free (${shortage(first.kind, best)})`;
  }
}

/** `2`, `0.5 of one` or `0.5 each of 2`. */
function deviceNeed({ need, milli }: Extract<Obstacle, { readonly kind: 'device' }>): string {
  if (milli === undefined) {
    return String(need);
  }
  return `${String(milli / WHOLE)} ${need === 1 ? 'of one' : `each of ${String(need)}`}`;
}

function shortage(kind: Amount, best: Obstacle): string {
  if (!('free' in best) || best.kind === 'quota') {
    return '';
  }
  return `need ${amount(kind, best.need)}, most free ${amount(kind, best.free)} on ${best.node}`;
}

const UNITS = [['Gi', 1024 ** 3], ['Mi', 1024 ** 2], ['Ki', 1024]] as const;

/** The amount in the largest unit that keeps it at 1 or more, with at most one decimal. */
function formatMemory(bytes: number): string {
  for (const [unit, size] of UNITS) {
    if (bytes >= size) {
      return `${String(Math.floor((bytes * 10) / size) / 10)}${unit}`;
    }
  }
  return String(bytes);
}

function formatCpu(milliCpu: number): string {
  return `${String(milliCpu / 1000)} cpu`;
}
