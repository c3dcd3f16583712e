/** What a drain cannot do without harm, said before it begins; and which tasks it leaves behind, with what would be right. */
import type { ClusterPlan, RuleReason } from '#model/cluster-plan.ts';
import { hasOneCopy } from '#model/exclusive.ts';
import type { NodeId, TaskId } from '#model/ids.ts';
import type { ClusterView, ServiceView, TaskView } from '#model/ports.ts';
import { printable } from '#model/printable.ts';
import { isFinished } from '#model/task.ts';
import { someTasks } from '#model/task-count.ts';

/** What is drained, and what would become of the cluster without it. */
export interface PlannedDrain extends Pick<ClusterPlan, 'unplaced' | 'actions'> {
  readonly nodes: readonly NodeId[];
}

/** A task that no wait brings away. */
export interface StayingTask {
  readonly task: TaskId;
  readonly node: NodeId;
  /** Why, and what would be right; one line. */
  readonly reason: string;
}

/** One line a service: its tasks stay, or are interrupted; and why. Services that never leave their nodes are not told. */
export function drainLimits(view: ClusterView, drain: PlannedDrain): readonly string[] {
  return servicesOn(view, drain.nodes).flatMap(({ service, tasks }) => {
    const name = nameOf(service);
    const kept = keptTasks(service, tasks, drain);
    const [reason] = reasonsOf(service, drain);
    if (kept.length > 0) {
      return [printable(`${name}: ${someTasks(kept.length, tasks.length)} cannot leave${reason === undefined ? '' : `: ${reason.sentence}`}`)];
    }
    return isInterrupted(service) ? [printable(`${name}: each task ends before its replacement starts: it is interrupted`)] : [];
  });
}

/** Tasks that are wanted where they are and have no other place; of a lost node all that did not end: nobody there hears of a stop. */
export function stayingTasks(view: ClusterView, drain: PlannedDrain): readonly StayingTask[] {
  const lost = view.nodes.filter(({ node }) => node.condition === 'lost' && drain.nodes.includes(node.id)).map(({ node }) => node.id);
  const unheard = view.tasks.filter(one => lost.includes(one.task.node) && !isEnded(one))
    .map(({ task }) => ({ task: task.id, node: task.node, reason: `${task.app}/${task.service}: ${task.node} is lost; when it does not come back, forget it: clusterctl node rm ${task.node}` }));
  const kept = servicesOn(view, drain.nodes.filter(node => !lost.includes(node)))
    .flatMap(({ service, tasks }) => keptTasks(service, tasks, drain).map(({ task }) => ({ task: task.id, node: task.node, reason: explainStay(service, task.node, drain) })));
  return [...unheard, ...kept];
}

/** Tasks of these nodes that have not ended, also those that are to. */
export function tasksLeft(view: ClusterView, node: NodeId): readonly TaskView[] {
  return view.tasks.filter(one => one.task.node === node && !isEnded(one));
}

/** Those of the tasks that are known to stay. */
export function among(left: readonly TaskView[], staying: readonly StayingTask[]): readonly StayingTask[] {
  return staying.filter(one => left.some(({ task }) => task.id === one.task));
}

export type DrainStep =
  | { readonly kind: 'wait' }
  | { readonly kind: 'stop'; readonly tasks: readonly TaskView[] }
  | { readonly kind: 'end'; readonly staying: readonly StayingTask[] };

export interface DrainTurn {
  /** At least one. */
  readonly left: readonly TaskView[];
  readonly staying: readonly StayingTask[];
  readonly isForced: boolean;
  /** For those that cannot leave now, too. */
  readonly waits: boolean;
  /** The deadline has passed. */
  readonly isLate: boolean;
}

/** Nothing is stopped or given up while a task may still leave in time. */
export function nextDrainStep({ left, staying, isForced, waits, isLate }: DrainTurn): DrainStep {
  if (isLate) {
    const tasks = left.filter(({ task }) => task.desired === 'run');
    return tasks.length === 0 ? { kind: 'wait' } : { kind: 'stop', tasks };
  }
  const stuck = among(left, staying);
  if (waits || stuck.length < left.length) {
    return { kind: 'wait' };
  }
  const stoppable = left.filter(({ state }) => state !== 'lost');
  return isForced && stoppable.length > 0 ? { kind: 'stop', tasks: stoppable } : { kind: 'end', staying: stuck };
}

function isEnded({ status }: TaskView): boolean {
  return isFinished(status?.phase ?? 'pending');
}

interface ServiceOnNodes {
  readonly service: ServiceView;
  /** At least one. */
  readonly tasks: readonly TaskView[];
}

function servicesOn(view: ClusterView, nodes: readonly NodeId[]): readonly ServiceOnNodes[] {
  return view.services.map(service => ({
    service, tasks: view.tasks.filter(one => one.task.serviceId === service.service.id && nodes.includes(one.task.node) && one.task.desired === 'run' && !isEnded(one)),
  })).filter(({ tasks }) => tasks.length > 0);
}

function keptTasks({ service }: ServiceView, tasks: readonly TaskView[], { actions }: PlannedDrain): readonly TaskView[] {
  return service.spec.kind === 'global' ? [] : tasks.filter(({ task }) => actions.every(action => action.task !== task.id || action.kind === 'keep'));
}

/** Without those that only say that the nodes are being drained. */
function reasonsOf({ service }: ServiceView, { unplaced, nodes }: PlannedDrain): readonly RuleReason[] {
  const reasons = unplaced.find(one => one.service === service.id)?.reasons ?? [];
  return reasons.filter(reason => reason.rule !== 'draining' || !reason.nodes.every(node => nodes.includes(node)));
}

function explainStay(view: ServiceView, node: NodeId, drain: PlannedDrain): string {
  const name = nameOf(view);
  const reasons = reasonsOf(view, drain);
  const fix = drain.unplaced.find(one => one.service === view.service.id)?.fix;
  const isUndrained = fix?.edit.kind === 'node' && drain.nodes.some(one => fix.edit.kind === 'node' && fix.edit.node === one);
  const cause = reasons.length === 0 ? 'it has no other place' : reasons.map(reason => reason.sentence).join(', ');
  const stop = `stop it with --force, and it waits for ${reasons.some(({ rule }) => rule.startsWith('volume ')) ? `its data on ${node}` : 'a place'}`;
  const remedies = [...(fix === undefined || isUndrained ? [] : [`${fix.sentence}${fix.command === undefined ? '' : ` (${fix.command})`}`]), stop, `give it up: clusterctl delete svc/${name} -n ${view.service.namespace}`];
  return printable(`${name}: ${cause}; ${remedies.join(', or ')}`);
}

function nameOf({ service }: ServiceView): string {
  return `${service.app}/${service.name}`;
}

function isInterrupted({ service: { spec } }: ServiceView): boolean {
  const { onDisconnect, update, kind } = spec;
  return kind !== 'global' && (hasOneCopy(onDisconnect) || kind === 'stateful' || kind === 'job' || update.strategy === 'recreate' || update.maxSurge === 0);
}
