/** The node of a task or a volume: the Node that was there when it came to be, not a later one of the same name. */
import type { ClusterSnapshot, Versioned } from './cluster-snapshot.ts';
import type { NodeId } from './ids.ts';
import type { Node } from './node.ts';
import type { Task } from './task.ts';
import type { Volume } from './volume.ts';

type Nodes = Pick<ClusterSnapshot, 'nodes'>;
type Placed = Nodes & Pick<ClusterSnapshot, 'tasks'>;

/** Undefined: the node was removed, also where another machine has joined under its name since. */
export function nodeOfTask({ nodes, tasks }: Placed, { id, node }: Pick<Task, 'id' | 'node'>): Node | undefined {
  const record = nodes.get(node);
  return record === undefined || isEarlier(tasks.get(id), record) ? undefined : record.value;
}

/** Tasks of the node, ended ones too; in order of ids. */
export function tasksOfNode({ nodes, tasks, tasksOnNode }: Placed & Pick<ClusterSnapshot, 'tasksOnNode'>, node: NodeId): readonly Versioned<Task>[] {
  const record = nodes.get(node);
  return [...tasksOnNode.get(node) ?? []].sort().flatMap(id => tasks.get(id) ?? [])
    .filter(task => record === undefined || !isEarlier(task, record));
}

/** The fence of a volume is the etcd revision of the newest task that was placed with it. */
export function isOfEarlierNode({ nodes }: Nodes, { node, fence }: Pick<Volume, 'node' | 'fence'>): boolean {
  const record = nodes.get(node);
  return record !== undefined && fence < record.createRevision;
}

/** A task that is not on record yet is a new one. */
function isEarlier(task: Versioned<Task> | undefined, node: Versioned<Node>): boolean {
  return task !== undefined && task.createRevision < node.createRevision;
}
