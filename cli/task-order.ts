/** The order in which tasks are listed: those of a service together, by slot, in each slot the older first. */
import type { ClusterView, TaskView } from '#model/ports.ts';

export function inOrder(view: ClusterView): ClusterView {
  return { ...view, tasks: view.tasks.toSorted(compareTasks) };
}

function compareTasks({ task: left }: TaskView, { task: right }: TaskView): number {
  return compareTexts(left.serviceId, right.serviceId) || left.slot - right.slot || left.createdAtMs - right.createdAtMs || compareTexts(left.id, right.id);
}

function compareTexts(left: string, right: string): number {
  return left === right ? 0 : left < right ? -1 : 1;
}
