/** What a person is told of a node that nothing reaches now. */
import type { NodeId } from '#model/ids.ts';
import type { Node } from '#model/node.ts';

/** @param what  the node, and what it is there for: `node n1 of task k3f9` */
export function describeAbsence(what: string, id: NodeId, node: Pick<Node, 'condition' | 'conditionSinceMs'> | undefined): string {
  if (node === undefined || node.condition === 'ready') {
    return `${what} is not connected now: its agent, or the controller that it was connected to, went away a moment ago; try again in a few seconds, or see clusterctl describe node/${id}`;
  }
  const since = `${what} is ${node.condition} since ${new Date(node.conditionSinceMs).toISOString()}: no sign of life of its agent`;
  return `${since}; start the agent there (systemctl start gantry-agent; of a local cluster clusterctl dev start ${id}), or give the node up with clusterctl node rm ${id}`;
}
