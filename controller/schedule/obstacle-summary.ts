/** Obstacles grouped by cause: counts, and some nodes as examples, so that thousands of nodes cost little to keep. */
import type { NodeId } from '#model/ids.ts';
import type { Obstacle } from './filters.ts';

/** Nodes that a group lists; `count` has all of them. */
export const MAX_EXAMPLES = 100;

/** Nodes that one cause keeps out. */
export interface ObstacleGroup {
  readonly key: string;
  readonly first: Obstacle;
  /** Of the nodes that lack something, the one with most of it. */
  readonly best: Obstacle;
  readonly count: number;
  readonly nodes: readonly NodeId[];
}

/** One obstacle a node, by cause: the biggest group first, groups of one size in the order of their keys. */
export interface ObstacleSummary {
  readonly total: number;
  readonly groups: readonly ObstacleGroup[];
}

interface Growing extends ObstacleGroup {
  best: Obstacle;
  count: number;
  readonly nodes: NodeId[];
}

export function summarize(obstacles: Iterable<Obstacle>): ObstacleSummary {
  const groups = new Map<string, Growing>();
  let total = 0;
  for (const obstacle of obstacles) {
    const key = groupKey(obstacle);
    const group = groups.get(key) ?? { key, first: obstacle, best: obstacle, count: 0, nodes: [] };
    groups.set(key, group);
    total += 1;
    group.count += 1;
    group.best = better(group.best, obstacle);
    if (group.nodes.length < MAX_EXAMPLES) group.nodes.push(obstacle.node);
  }
  return { total, groups: [...groups.values()].sort((left, right) => right.count - left.count || (left.key < right.key ? -1 : 1)) };
}

/** Obstacles with one key have one cause and one remedy. */
export function groupKey(obstacle: Obstacle): string {
  switch (obstacle.kind) {
    case 'node':
      return `${obstacle.kind}/${obstacle.state}`;
    case 'taint':
      return `${obstacle.kind}/${obstacle.taint}`;
    case 'label':
      return `${obstacle.kind}/${obstacle.rule}`;
    case 'volume':
    case 'volume-removal':
      return `${obstacle.kind}/${obstacle.volume}`;
    case 'host-port':
      return `${obstacle.kind}/${obstacle.port}/${obstacle.user}`;
    case 'max-per':
      return `${obstacle.kind}/${obstacle.label}`;
    case 'bind':
    case 'device-path':
      return `${obstacle.kind}/${obstacle.hostPath}`;
    case 'device':
      return `${obstacle.kind}/${obstacle.device}`;
    default:
      return plainKey(obstacle);
  }
}

function plainKey(obstacle: Obstacle): string {
  if (obstacle.kind === 'hugepages') {
    return `${obstacle.kind}/${String(obstacle.pageBytes)}`;
  }
  return 'service' in obstacle ? neighbourKey(obstacle) : obstacle.kind;
}

function neighbourKey(obstacle: Extract<Obstacle, { readonly kind: 'near' | 'avoid' | 'reserved' }>): string {
  return `${obstacle.kind}/${obstacle.service}/${'label' in obstacle ? obstacle.label : ''}`;
}

function better(left: Obstacle, right: Obstacle): Obstacle {
  return 'free' in left && 'free' in right && right.free > left.free ? right : left;
}
