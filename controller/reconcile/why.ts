/** Why a service or a task is as it is: what the planners and the scheduler would say of it now. */
import type { Service } from '#model/app.ts';
import type { RuleReason, WhyAnswer } from '#model/cluster-plan.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { NodeId, ServiceId, TaskId } from '#model/ids.ts';
import { isFinished } from '#model/task.ts';
import type { Task, TaskStatus } from '#model/task.ts';
import { volumeNames } from '#model/volume.ts';
import { replicasInForce } from '../autoscale/replicas-in-force.ts';
import { obstaclesOn } from '../schedule/blocked.ts';
import { reasonsOf } from '../schedule/explain.ts';
import { allObstacles } from '../schedule/filters.ts';
import type { ServiceRequest } from '../schedule/filters.ts';
import { cheapestFix } from '../schedule/fix.ts';
import { NodeTable } from '../schedule/node-table.ts';
import { summarize } from '../schedule/obstacle-summary.ts';
import { requestFor } from '../schedule/request.ts';
import type { SlotOnNode } from '../schedule/schedule.ts';
import { isBetter, rankNames, rankNode } from '../schedule/scores.ts';
import { unplacedService } from './cluster-plan.ts';
import { timesText } from './crash-backoff.ts';
import { PaperCluster } from './paper-cluster.ts';
import { hasEnded, isLive, isSlotDone, serviceState } from './task-row.ts';
import type { ServiceState, TaskRow } from './task-row.ts';
import { wantedSlots } from './wanted-slots.ts';

/** Undefined when there is no such service. */
export function whyService(snapshot: ClusterSnapshot, id: ServiceId, node: NodeId | undefined): WhyAnswer | undefined {
  const state = serviceState(snapshot, id);
  if (state === undefined) {
    return undefined;
  }
  const target = `service/${id}`;
  if (node !== undefined) {
    return { target, ...serviceOnNode(snapshot, state, node) };
  }
  const unplaced = unplacedService(snapshot, id);
  if (unplaced !== undefined) {
    return { target, state: 'pending', reasons: [...unplaced.reasons, ...rolloutReasons(state), ...scaleReasons(state)], ...(unplaced.fix === undefined ? {} : { fix: unplaced.fix }) };
  }
  const placed = state.rows.filter(isLive).flatMap(row => placementReasons(snapshot, row.task));
  const ended = endedRows(snapshot, state);
  return { target, state: serviceCondition(state, ended), reasons: [...rolloutReasons(state), ...scaleReasons(state), ...crashReasons(state, ended), ...ended.flatMap(endedReasons), ...placed] };
}

/** The newest task of each slot that ended and gets no other. */
function endedRows(snapshot: ClusterSnapshot, state: ServiceState): readonly TaskRow[] {
  const rowsOfSlot = Map.groupBy(state.rows, row => row.task.slot);
  return wantedSlots(snapshot, state).flatMap(({ slot }) => {
    const rows = rowsOfSlot.get(slot) ?? [];
    const newest = rows.at(-1);
    return newest !== undefined && hasEnded(newest) && (isSlotDone(rows, state.service) || isSpentJob(state)) ? [newest] : [];
  });
}

/** Its retries are used up. */
function isSpentJob({ service, status }: ServiceState): boolean {
  return service.spec.kind === 'job' && status?.rollout.state === 'failed';
}

/** A settled service of which every slot ended is not running any more. */
function serviceCondition({ status }: ServiceState, ended: readonly TaskRow[]): string {
  const state = status?.rollout.state ?? 'progressing';
  const isOver = state === 'settled' && ended.length > 0;
  return !isOver ? state : ended.some(row => row.status?.phase === 'failed') ? 'failed' : 'complete';
}

function endedReasons({ task, status }: TaskRow): readonly RuleReason[] {
  const { mode } = task.container.restart;
  const exit = status?.lastExit;
  const how = exit === undefined ? status?.reason ?? '' : `${exit.reason}, code ${exit.code === null ? 'unknown' : String(exit.code)}`;
  const why = task.kind === 'job' ? '' : `; restart: ${mode} starts no other`;
  return [plain('ended', [task.node], `task ${task.name} ended ${status?.phase ?? ''} on ${task.node}${how === '' ? '' : `: ${how}`}${why}`)];
}

/** Undefined when there is no such task. */
export function whyTask(snapshot: ClusterSnapshot, id: TaskId, node: NodeId | undefined): WhyAnswer | undefined {
  const task = snapshot.tasks.get(id)?.value;
  if (task === undefined) {
    return undefined;
  }
  const target = `task/${id}`;
  const status = snapshot.statuses.get(id)?.value;
  if (node !== undefined && node !== task.node) {
    return { target, ...notOnNode(withoutTask(snapshot, id), { task, node }) };
  }
  const placed = task.desired === 'run' && !isFinished(status?.phase ?? 'pending') ? placementReasons(snapshot, task) : [];
  return { target, state: taskState(snapshot, task, status), reasons: [birthReason(task), ...endReasons(task, status), ...placed] };
}

function taskState(snapshot: ClusterSnapshot, task: Task, status: TaskStatus | undefined): string {
  if (snapshot.nodes.get(task.node)?.value.condition === 'lost') {
    return 'lost';
  }
  return task.desired === 'stop' && !isFinished(status?.phase ?? 'pending') ? 'stopping' : status?.phase ?? 'assigned';
}

function plain(rule: string, nodes: readonly NodeId[], sentence: string): RuleReason {
  return { rule, nodes, have: '', need: '', sentence };
}

const BIRTHS: Readonly<Record<string, string>> = {
  'scale-up': 'the service wanted one more task', rollout: 'a new revision replaced the task before it', drain: 'the node of the task before it was drained', move: 'the task before it was told to move here',
  'node-lost': 'the node of the task before it was lost', 'node-removed': 'the node of the task before it was removed',
  'crash-loop': 'the task before it used up its restarts', ended: 'the task before it ended',
  preempted: 'the task before it made room for one of higher priority',
};
const ENDS: Readonly<Record<string, string>> = {
  'scale-down': 'the service wants fewer tasks', replaced: 'its replacement serves', rollout: 'a new revision replaces it', drain: 'its node is being drained', move: 'it was told to move',
  'node-lost': 'its node was lost and its slot has another task', 'service-deleted': 'its service is being deleted',
  preempted: 'a task of higher priority needs its room',
  'node-not-eligible': 'its node may not run the service any more',
};

/** Why the task was made, or is to stop. */
function birthReason(task: Task): RuleReason {
  const [, by] = /^preempted by (.+)$/.exec(task.reason) ?? [];
  const preempted = task.desired === 'run' ? `the task before it made room for ${by ?? ''}` : `${by ?? ''}, needs its room`;
  const words = task.desired === 'run' ? BIRTHS : ENDS;
  const verb = task.desired === 'run' ? 'made' : 'to stop';
  return plain(task.desired === 'run' ? 'made' : 'stop', [task.node], `${verb} because ${by === undefined ? words[task.reason] ?? task.reason : preempted}`);
}

function endReasons(task: Task, status: TaskStatus | undefined): readonly RuleReason[] {
  if (status === undefined) {
    return [plain('status', [task.node], `${task.node} has not reported it yet`)];
  }
  const { lastExit, restarts, reason, message } = status;
  const exit = lastExit === undefined ? '' : `attempt ${String(lastExit.attempt)} ended: ${lastExit.reason}, code ${lastExit.code === null ? 'unknown' : String(lastExit.code)}`;
  return [
    ...(restarts > 0 ? [plain('restart', [task.node], `restarted ${String(restarts)} times; ${exit}`)] : []),
    ...(restarts === 0 && exit !== '' ? [plain('exit', [task.node], exit)] : []),
    ...(reason === '' ? [] : [plain(reason, [task.node], message === '' ? reason : message)]),
  ];
}

function rolloutReasons({ status }: ServiceState): readonly RuleReason[] {
  if (status === undefined || status.rollout.reason === '') {
    return [];
  }
  return [plain('rollout', [], `revision ${String(status.rollout.revision)} is ${status.rollout.state}: ${status.rollout.reason}`)];
}

/** Why there are as many replicas as there are, and what keeps the number from being decided anew. */
function scaleReasons({ service: { spec }, status }: ServiceState): readonly RuleReason[] {
  if (spec.autoscale === undefined) {
    return [];
  }
  const { min, max } = spec.autoscale;
  const [limits, count] = [`${String(min)} to ${String(max)}`, String(replicasInForce(spec, status))];
  const { reason, problem } = status?.autoscale ?? { reason: 'it was not measured yet', problem: undefined };
  return [
    plain('autoscale', [], `wants ${count} of ${limits} replicas: ${reason}`),
    ...(problem === undefined ? [] : [plain('autoscale', [], `is not scaled down: ${problem}`)]),
  ];
}

/** Crash loops that an answer lists one by one. */
const MAX_CRASH_LOOPS = 20;

function crashReasons(state: ServiceState, ended: readonly TaskRow[]): readonly RuleReason[] {
  const loops = state.status?.crashLoops ?? [];
  const listed = loops.slice(0, MAX_CRASH_LOOPS).map(loop => {
    const isOver = ended.some(row => row.task.slot === loop.slot);
    const next = isOver ? isSpentJob(state) ? 'its attempts are used up' : 'no other follows' : `the next waits until ${new Date(loop.notBeforeMs).toISOString()}`;
    return plain('crash-loop', [], `slot ${String(loop.slot)} failed ${timesText(loop.failures)}, the last was task ${loop.task}; ${next}`);
  });
  const more = loops.length - listed.length;
  return more === 0 ? listed : [...listed, plain('crash-loop', [], `${String(more)} more ${more === 1 ? 'slot' : 'slots'} failed likewise`)];
}

function withoutTask(snapshot: ClusterSnapshot, id: TaskId): ClusterSnapshot {
  const paper = new PaperCluster(snapshot);
  paper.apply({ kind: 'remove-task', taskId: id, reason: '' });
  return paper.snapshot;
}

/** Why the task stands where it does, by what the other nodes have now: those that may not take it, and those that are no better. */
function placementReasons(snapshot: ClusterSnapshot, task: Task): readonly RuleReason[] {
  const service = snapshot.services.get(task.serviceId)?.value;
  if (service === undefined) {
    return [];
  }
  const without = withoutTask(snapshot, task.id);
  const table = new NodeTable(without);
  const request = requestFor(without, table, service);
  const own = table.rowOf(task.node);
  const others = [...table.nodes.keys()].filter(row => row !== own).map(row => ({ row, obstacles: allObstacles(table, request, row, task.slot) }));
  const barred = reasonsOf(summarize(others.flatMap(one => one.obstacles.slice(0, 1))));
  const free = others.filter(one => one.obstacles.length === 0);
  const compared = own === undefined ? [] : free.map(one => compare(table, request, { own, other: one.row, slot: task.slot }));
  const grouped = [...Map.groupBy(compared, one => one.rule)].map(([rule, group]) => ({
    rule, nodes: group.map(one => one.node), have: '', need: '',
    sentence: `${task.node} ${rule.startsWith('now ') ? `is ${rule}` : `was ahead of ${group.map(one => one.node).join(', ')}: ${rule}`}`,
  }));
  const data = volumeNames({ ...service.spec, namespace: service.namespace, volumes: service.volumes }, task.slot).filter(volume => request.homes.get(volume) === task.node);
  return [
    plain('placed', [task.node], `task ${task.name} is on ${task.node}`),
    ...data.map(volume => plain(`volume ${volume}`, [task.node], `its volume ${volume} is on ${task.node}`)), ...grouped, ...barred,
  ];
}

interface Compared {
  readonly node: NodeId;
  readonly rule: string;
}

/** The first score in which two nodes differ says which is better. */
function compare(table: NodeTable, request: ServiceRequest, { own, other, slot }: { readonly own: number; readonly other: number; readonly slot: number }): Compared {
  const [mine, theirs] = [rankNode(table, request, own, slot), rankNode(table, request, other, slot)];
  const index = mine.findIndex((rank, at) => rank !== theirs[at]);
  const name = index < 0 ? 'lowest name of equals' : rankNames(request.service.spec.placement)[index] ?? '';
  const node = table.node(other).id;
  return { node, rule: isBetter(theirs, mine) ? `now behind ${node} in: ${name}; running tasks are not moved for that` : name };
}

function serviceOnNode(snapshot: ClusterSnapshot, state: ServiceState, node: NodeId): Omit<WhyAnswer, 'target'> {
  const here = state.rows.filter(row => isLive(row) && row.task.node === node);
  if (here.length > 0) {
    return { state: `on ${node}`, reasons: here.flatMap(row => placementReasons(snapshot, row.task)) };
  }
  const slot = state.status?.pending[0]?.slot ?? state.rows.find(isLive)?.task.slot ?? 0;
  const live = state.rows.find(row => isLive(row) && row.task.slot === slot);
  return live === undefined ? notOn(snapshot, state.service, { slot, node }) : notOnNode(withoutTask(snapshot, live.task.id), { task: live.task, node });
}

/** Why the task is not on `node`; `without` is the cluster without it. */
function notOnNode(without: ClusterSnapshot, { task, node }: { readonly task: Task; readonly node: NodeId }): Omit<WhyAnswer, 'target'> {
  const service = without.services.get(task.serviceId)?.value;
  if (service === undefined) {
    return { state: `not on ${node}`, reasons: [] };
  }
  const barred = notOn(without, service, { slot: task.slot, node });
  if (barred.reasons.length > 0) {
    return barred;
  }
  const table = new NodeTable(without);
  const [own, other] = [table.rowOf(task.node), table.rowOf(node)];
  const rule = own === undefined || other === undefined ? '' : compare(table, requestFor(without, table, service), { own, other, slot: task.slot }).rule;
  return { state: `not on ${node}`, reasons: [plain('score', [task.node], rule.startsWith('now ') ? `${task.node} is ${rule}` : `${task.node} is ahead of ${node}: ${rule}`)] };
}

function notOn(snapshot: ClusterSnapshot, service: Service, wanted: SlotOnNode): Omit<WhyAnswer, 'target'> {
  const obstacles = obstaclesOn(snapshot, service, wanted);
  const fix = obstacles.length === 0 ? undefined : cheapestFix({ snapshot, service, slots: [wanted] });
  return { state: `not on ${wanted.node}`, reasons: obstacles.flatMap(one => reasonsOf(summarize([one]))), ...(fix === undefined ? {} : { fix }) };
}
