/** What a drain cannot do without harm, as lines that are said before it begins. */
import type { ClusterPlan } from '#model/cluster-plan.ts';
import type { NodeId } from '#model/ids.ts';
import type { ClusterView, ServiceView } from '#model/ports.ts';
import { printable } from '#model/printable.ts';
import { isFinished } from '#model/task.ts';

export interface PlannedDrain extends Pick<ClusterPlan, 'unplaced' | 'actions'> {
  readonly nodes: readonly NodeId[];
}

/** One line a service: its tasks stay, or are interrupted; and why. Services that never leave their nodes are not told. */
export function drainLimits(view: ClusterView, { nodes, unplaced, actions }: PlannedDrain): readonly string[] {
  const here = view.services.map(service => ({ service, tasks: view.tasks.filter(({ task, status }) => task.serviceId === service.service.id
    && nodes.includes(task.node) && task.desired === 'run' && !isFinished(status?.phase ?? 'pending')) })).filter(({ tasks }) => tasks.length > 0);
  return here.flatMap(({ service, tasks }) => {
    const name = `${service.service.app}/${service.service.name}`;
    const kept = tasks.filter(({ task }) => actions.every(action => action.task !== task.id || action.kind === 'keep'));
    const reason = unplaced.find(one => one.service === service.service.id)?.reasons[0]?.sentence;
    if (kept.length > 0 && service.service.spec.kind !== 'global') {
      return [printable(`${name}: ${String(kept.length)} of ${String(tasks.length)} tasks cannot leave${reason === undefined ? '' : `: ${reason}`}`)];
    }
    return isInterrupted(service) ? [printable(`${name}: each task ends before its replacement starts: it is interrupted`)] : [];
  });
}

function isInterrupted({ service: { spec } }: ServiceView): boolean {
  const { onDisconnect, update, kind } = spec;
  return kind !== 'global' && (onDisconnect.kind === 'hold' || kind === 'stateful' || kind === 'job' || update.strategy === 'recreate' || update.maxSurge === 0);
}
