/** Desired against observed for one Service: which tasks to make, to stop, to forget, and where its rollout stands. */
import type { CrashLoop, PendingSlot, PlannedSlot, Service, ServiceStatus } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { leastReplaceAfterMs } from '#model/exclusive.ts';
import { appId } from '#model/ids.ts';
import type { ServiceId, TaskId } from '#model/ids.ts';
import { isSameJson } from '#model/same-json.ts';
import type { Task } from '#model/task.ts';
import { autoscaleOnceRolledBack } from '../autoscale/replica-scale.ts';
import { planBlueGreen } from './blue-green-plan.ts';
import { schedule } from '../schedule/schedule.ts';
import { mountsVolumes } from '../schedule/volume-users.ts';
import { jobsOf } from './job-status.ts';
import { nextCrashLoop, timesText, waitUntilMs } from './crash-backoff.ts';
import { planCron } from './cron-plan.ts';
import { runsOf } from './cron-run.ts';
import { unmetDependency } from './dependencies.ts';
import { planMovesOf } from './move-plan.ts';
import type { MovePlan } from './move-plan.ts';
import { newTask } from './new-task.ts';
import type { PlanContext } from './plan-context.ts';
import { EMPTY_PLAN } from './plan.ts';
import type { Action, Plan, PlannedEvent } from './plan.ts';
import { NOTHING_PLACED, placeSlots, preemptedReason } from './placement-plan.ts';
import type { Placed } from './placement-plan.ts';
import { pendingEvents, summarizePending } from './pending-summary.ts';
import { plannedSlots, preferPlanned } from './planned-slots.ts';
import { planRetention } from './retention-plan.ts';
import { deadlineAtMs, deadlineFailure, nextProgress } from './rollout-progress.ts';
import { nextRollout, rolloutFailure, serviceBefore, settledService } from './rollout-plan.ts';
import type { StageFacts } from './rollout-plan.ts';
import { activeTemplate, canaryStage, canaryStep, greenStage } from './rollout-stage.ts';
import type { CanaryStep } from './rollout-stage.ts';
import { isEachInForce, planResizes } from './resize-plan.ts';
import type { ResizePlan } from './resize-plan.ts';
import { isConverged, planSlots } from './slot-plan.ts';
import type { SlotInput, SlotPlan, WantedSlot } from './slot-plan.ts';
import { hasEnded, isLive, isOnLostNode, isServing, isSlotDone, isUpToDate, serviceState } from './task-row.ts';
import type { ServiceState, TaskRow } from './task-row.ts';
import { createActions } from './volume-plan.ts';
import { wantedSlots } from './wanted-slots.ts';

/**
 * Plans from the state alone, so a lost or doubled event changes nothing: applied and planned again, an unchanged state
 * gives no action. Stops and removals come first, then new tasks, then the status.
 */
export function planService(snapshot: ClusterSnapshot, id: ServiceId, context: PlanContext): Plan {
  const state = serviceState(snapshot, id);
  if (state === undefined) {
    return EMPTY_PLAN;
  }
  if (isOwnerUnreadable(snapshot, state)) {
    return heldBack('UnreadableOwner', `service/${id}`, 'of its App or of a node of its tasks');
  }
  const unreadable = unreadableTasksOf(snapshot, state.service);
  if (isBeingDeleted(snapshot, state.service)) {
    return planDeletion(snapshot, state, { nowMs: context.nowMs, mayHaveMore: unreadable.length > 0 });
  }
  if (unreadable.length > 0) {
    // A slot that looks empty may have one of them (I11).
    return heldBack('UnreadableTask', `service/${id}`, `of tasks: ${unreadable.slice(0, 10).join(', ')}`);
  }
  const notUnderstood = notUnderstoodIn(state);
  if (notUnderstood.length > 0) {
    return heldBack('NewerRecord', `service/${id}`, `of a newer controller, with ${notUnderstood.slice(0, 10).join(', ')}; upgrade the controllers`);
  }
  if (state.service.spec.kind === 'cron') {
    return planCron(snapshot, state, context.nowMs);
  }
  const resize = planResizes(snapshot, state);
  // What was a cron before has its runs still.
  const stray = state.status?.cron === undefined ? [] : deleteRuns(runsOf(snapshot, state.service), 'not a cron any more');
  const plan = planRollback(state, context) ?? planRunning(snapshot, { ...state, rows: resize.rows }, context, resize);
  return { ...plan, actions: [...stray, ...plan.actions] };
}

/**
 * Tasks whose record cannot be read and that are the service's, or may be: one of which not even the owner is legible
 * holds back only services that must never have two copies of a replica.
 */
function unreadableTasksOf({ unreadableTasks }: ClusterSnapshot, { id, spec }: Service): readonly TaskId[] {
  const isNeverTwo = spec.kind === 'stateful' || spec.onDisconnect.kind !== 'replace';
  return [...unreadableTasks].filter(([, { serviceId }]) => (serviceId === undefined ? isNeverTwo : serviceId === id)).map(([task]) => task).sort();
}

function notUnderstoodIn({ service, rows }: ServiceState): readonly string[] {
  return [...new Set([service, ...rows.map(({ task }) => task)].flatMap(({ notUnderstood = [] }) => notUnderstood))];
}

/** Not read is not gone: neither is the service deleted for its App, nor a task for its node. */
function isOwnerUnreadable({ unreadableApps, unreadableNodes }: ClusterSnapshot, { service, rows }: ServiceState): boolean {
  return unreadableApps.has(appId(service.namespace, service.app)) || rows.some(row => unreadableNodes.has(row.task.node));
}

function heldBack(reason: string, object: string, records: string): Plan {
  return { actions: [], events: [{ type: 'warning', object, reason, message: `nothing is made or stopped while records cannot be read: ${records}` }] };
}

function isBeingDeleted(snapshot: ClusterSnapshot, service: Service): boolean {
  const app = snapshot.apps.get(appId(service.namespace, service.app))?.value;
  return service.isDeleting || app === undefined || app.isDeleting;
}

/** Stops all tasks, and of a cron deletes all runs; the Service goes with the last one. */
function planDeletion(snapshot: ClusterSnapshot, state: ServiceState, { nowMs, mayHaveMore }: { readonly nowMs: number; readonly mayHaveMore: boolean }): Plan {
  const runs = runsOf(snapshot, state.service);
  const { removals } = planRetention(state, true, new Set(), nowMs);
  const stops = state.rows.filter(isLive).map((row): Action => ({ kind: 'stop-task', taskId: row.task.id, reason: 'service-deleted' }));
  const isEmpty = removals.length === state.rows.length && runs.length === 0 && !mayHaveMore;
  const removal: Action = { kind: 'remove-service', serviceId: state.service.id, reason: 'service-deleted' };
  return { actions: [...removals, ...stops, ...deleteRuns(runs, 'service-deleted'), ...(isEmpty ? [removal] : [])], events: [] };
}

function deleteRuns(runs: readonly Service[], reason: string): readonly Action[] {
  return runs.filter(run => !run.isDeleting).map(run => ({ kind: 'delete-service', serviceId: run.id, reason }));
}

/** Tasks of the new Revision fail and the service goes back: its old spec is put in force, and the status says why. */
function planRollback(state: ServiceState, context: PlanContext): Plan | undefined {
  const { service, status } = state;
  const isAborted = service.rollout?.isAborted === true;
  const failure = isAborted ? 'aborted by an operator' : rolloutFailure(state) ?? deadlineFailure(state, context);
  if (failure === undefined || (service.spec.update.onFailure !== 'rollback' && !isAborted)) {
    return undefined;
  }
  const before = isAborted ? serviceBefore(state, context) : settledService(state, context);
  if (before === undefined || status === undefined) {
    return undefined;
  }
  const reason = `revision ${String(service.revision)} rolled back to ${String(before.revision)}: ${failure}`;
  const startedAtMs = status.rollout.revision === service.revision ? status.rollout.startedAtMs : context.nowMs;
  // The old tasks get the requests again in the same transaction.
  const active = status.rollout.activeTemplate === undefined ? {} : { activeTemplate: before.templateHash };
  const { planned: _, autoscale: _scaled, ...known } = status;
  const rolledBack: ServiceStatus = {
    ...known, pending: [], crashLoops: [], rollout: { state: 'rolled_back', reason, revision: service.revision, startedAtMs, ...active },
    ...autoscaleOnceRolledBack(before, status, context.nowMs),
  };
  return {
    actions: [{ kind: 'rollback-service', service: before, reason }, { kind: 'set-service-status', status: rolledBack }],
    events: [{ type: 'warning', object: `service/${service.id}`, reason: 'RolledBack', message: reason }],
  };
}

/** What the slots are planned from. */
interface Situation {
  readonly wanted: readonly WantedSlot[];
  readonly crashLoops: readonly CrashLoop[];
  readonly blocked: ReadonlySet<number>;
  readonly waiting: string | undefined;
  readonly failure: string | undefined;
  /** What tasks of the old template are made from, where there is one. */
  readonly before: Service | undefined;
  readonly step: CanaryStep | undefined;
  readonly activeTemplate: string | undefined;
}

/** `state` with its rows as `resize` leaves them. */
function planRunning(snapshot: ClusterSnapshot, state: ServiceState, context: PlanContext, resize: ResizePlan): Plan {
  const { service } = state;
  const situation = assess(snapshot, state, context);
  const moves = planMovesOf(snapshot, state, context.table);
  const slots = preferPlanned(planEachSlot(snapshot, { ...state, rows: moves.rows }, situation, context), state);
  // What is resized takes room that the snapshot does not show yet: new tasks wait for the next look.
  const placed = resize.resizes.length > 0
    ? { ...NOTHING_PLACED, pending: state.status?.pending ?? [] }
    : placeSlots(snapshot, slots, { service, before: situation.before ?? service }, context.table);
  const retention = planRetention(state, false, new Set(situation.wanted.map(one => one.slot)), context.nowMs);
  const placedSlots = new Set(placed.placements.map(one => one.slot));
  const replaced = slots.stopsOnceReplaced.filter(stop => placedSlots.has(stop.row.task.slot));
  const stops = [...slots.stops, ...replaced];
  const planned = plannedSlots(snapshot, state, { wanted: situation.wanted, placements: placed.placements }, context);
  const status = nextStatus(state, situation, { placed, planned, resize, context });
  // A task is written once in a plan: one that stops needs nothing else.
  const stopped = new Set(stops.map(({ row }) => row.task.id));
  const resizes = resize.resizes.filter(task => !stopped.has(task.id));
  const written = new Set([...stopped, ...resizes.map(task => task.id)]);
  const abandoned = moves.abandoned.filter(({ task }) => !written.has(task.id));
  const actions: readonly Action[] = [
    ...retention.removals,
    ...stops.map(({ row, reason }): Action => ({ kind: 'stop-task', taskId: row.task.id, reason })),
    ...placed.evictions.map(taskId => ({ kind: 'stop-task', taskId, reason: preemptedReason(service) }) as const),
    ...resizes.map((task): Action => ({ kind: 'resize-task', task, reason: 'resources' })),
    ...cancelledMoves(abandoned),
    ...createActions(snapshot, placed.placements.map(({ of: made, ...placement }) => ({ task: newTask(snapshot, context, { ...placement, service: made }), reason: placement.reason }))),
    ...(isSameJson(state.status, status.value) ? [] : [{ kind: 'set-service-status', status: status.value } as const]),
  ];
  const wakeAtMs = earliest([retention.wakeAtMs, status.wakeAtMs, deadlineAtMs({ service, status: status.value }, context), ...waits(state, situation, context)]);
  return { actions, events: [...placed.events, ...moveEvents(abandoned), ...resizeEvents(state, { ...resize, resizes }), ...eventsOf(state, status.value, placed.pending)], ...(wakeAtMs === undefined ? {} : { wakeAtMs }) };
}

function cancelledMoves(abandoned: MovePlan['abandoned']): readonly Action[] {
  return abandoned.map(({ task, reason }) => ({ kind: 'cancel-move', taskId: task.id, reason }));
}

function planEachSlot(snapshot: ClusterSnapshot, state: ServiceState, situation: Situation, context: PlanContext): SlotPlan {
  const { service, status } = state;
  const { before, step } = situation;
  const isSettled = status?.settledRevision === service.revision;
  const input: SlotInput = {
    service, rows: state.rows, wanted: situation.wanted, blocked: situation.blocked,
    isPaused: service.rollout?.isPaused === true || (situation.failure !== undefined && !isSettled),
    canMakeOld: before !== undefined, ...(step === undefined ? {} : { newLimit: step.limit }),
    isReplaceable: row => untilReplacedMs(row, service, context) <= 0,
    fitsElsewhere: fitsElsewhere(snapshot, service, context),
  };
  return service.spec.update.strategy === 'blue_green' ? planBlueGreen(input, { active: situation.activeTemplate, before, isSettled }) : planSlots(input);
}

/** Slots without volumes are alike: the answer for one of them is the answer for all. */
function fitsElsewhere(snapshot: ClusterSnapshot, service: Service, { table }: PlanContext): (slot: number) => boolean {
  const fits = (slot: number): boolean => schedule(snapshot, [{ service, slots: [{ slot }] }], table?.()).placements.length > 0;
  if (mountsVolumes(service)) {
    return fits;
  }
  let answer: boolean | undefined;
  return slot => (answer ??= fits(slot));
}

function assess(snapshot: ClusterSnapshot, state: ServiceState, context: PlanContext): Situation {
  const { service, status, rows } = state;
  const { nowMs } = context;
  const before = settledService(state, context);
  const wanted = wantedSlots(snapshot, state);
  const isSettled = status?.settledRevision === service.revision;
  const waiting = isSettled ? undefined : unmetDependency(snapshot, service);
  const rowsOfSlot = Map.groupBy(rows, row => row.task.slot);
  const crashLoops = wanted.flatMap(({ slot }) => {
    const before = status?.crashLoops.find(one => one.slot === slot);
    return nextCrashLoop(rowsOfSlot.get(slot) ?? [], service, before, nowMs) ?? [];
  });
  const spent = crashLoops.filter(loop => isSpent(loop, state));
  const failure = spent.length > 0 ? `job failed: ${String(spent[0]?.failures ?? 0)} attempts used up` : rolloutFailure(state) ?? deadlineFailure(state, context);
  const blocked = new Set([
    ...(waiting === undefined ? [] : wanted.map(one => one.slot)),
    ...crashLoops.filter(loop => waitUntilMs(loop, nowMs) !== undefined).map(loop => loop.slot),
    ...spent.map(loop => loop.slot),
  ]);
  const told = { before, step: canaryStep(state, before, wanted.length), activeTemplate: activeTemplate(state) };
  return { ...told, wanted, crashLoops, blocked, waiting, failure: service.spec.kind === 'job' && spent.length === 0 ? undefined : failure };
}

/** A job's slot that failed more often than its retries allow, and has not succeeded. */
function isSpent(loop: CrashLoop, { service, rows }: ServiceState): boolean {
  const ofSlot = rows.filter(row => row.task.slot === loop.slot);
  const newest = ofSlot.at(-1);
  return service.spec.kind === 'job' && loop.failures > (service.spec.job?.retries ?? 0) && newest !== undefined && hasEnded(newest) && !isSlotDone(ofSlot, service);
}

/**
 * The node is `lost` LOST + EVICT after it fell silent; a service that asked for longer waits for the rest, as this leader counts it: a
 * wall clock that jumps replaces nothing. An exclusive one waits for all of it, also where another leader or an operator said that the node is lost, and for ever
 * where the node has nothing that stops it for sure.
 */
function untilReplacedMs({ task, node }: TaskRow, { spec: { onDisconnect } }: Service, { awayForMs, times }: PlanContext): number {
  if (onDisconnect.kind === 'exclusive') {
    const afterMs = node?.hasDeadman === true ? Math.max(onDisconnect.replaceAfterMs, stoppedAfterMs(task)) : Number.POSITIVE_INFINITY;
    return afterMs - times.lostMs - awayForMs(task.node);
  }
  const afterMs = onDisconnect.kind === 'replace' ? onDisconnect.afterMs : 0;
  return afterMs <= times.lostMs + times.evictMs ? 0 : afterMs - times.lostMs - awayForMs(task.node);
}

/** As it was made, whatever its service says by now: one that stops by no time of its own never has. */
function stoppedAfterMs({ stopAfterMs, container }: Task): number {
  return stopAfterMs === undefined ? Number.POSITIVE_INFINITY : leastReplaceAfterMs({ stopAfterMs, container });
}

interface Made {
  readonly placed: Placed;
  readonly planned: readonly PlannedSlot[];
  readonly resize: ResizePlan;
  readonly context: PlanContext;
}

function nextStatus(
  state: ServiceState, situation: Situation, { placed, planned, resize, context }: Made,
): { readonly value: ServiceStatus; readonly wakeAtMs?: number } {
  const { service, rows } = state;
  const stage = stageOf(state, situation);
  // The old tasks of a blue_green stay until the new ones were watched.
  const counted = situation.activeTemplate === service.templateHash ? rows.filter(row => isUpToDate(row, service)) : rows;
  const { rollout, settledRevision, wakeAtMs } = nextRollout(state, {
    stage, activeTemplate: situation.activeTemplate,
    isPaused: service.rollout?.isPaused === true && rows.some(row => isLive(row) && !isUpToDate(row, service)),
    isConverged: isConverged(service, counted, situation.wanted) && resize.waiting + resize.resizes.length === 0 && isEachInForce(rows),
    waiting: situation.waiting, failure: situation.failure,
    stuck: stuckReason(state, placed) ?? resize.refusal,
  }, context);
  const isOver = rollout.state === 'settled' && settledRevision === service.revision;
  const progress = nextProgress(state, rollout, context.nowMs);
  const value: ServiceStatus = {
    id: service.id, settledRevision, rollout: progress === undefined ? rollout : { ...rollout, progress }, ...pendingOf(state, placed, resize), crashLoops: situation.crashLoops, ...jobsOf(state, isOver, context.nowMs),
    ...(isOver || planned.length === 0 ? {} : { planned }),
    ...scaleOf(state),
  };
  return { value, ...(wakeAtMs === undefined ? {} : { wakeAtMs }) };
}

/** While tasks are resized nothing is placed, and the slots that waited still do. */
function pendingOf({ status }: ServiceState, placed: Placed, { resizes }: ResizePlan): Pick<ServiceStatus, 'pending' | 'pendingCount'> {
  if (resizes.length === 0 || status === undefined) {
    return summarizePending(placed.pending);
  }
  const { pending, pendingCount } = status;
  return { pending, ...(pendingCount === undefined ? {} : { pendingCount }) };
}

/** Written by the autoscale loop; here it is kept. */
function scaleOf({ service, status }: ServiceState): Pick<ServiceStatus, 'autoscale'> {
  return service.spec.autoscale === undefined || status?.autoscale === undefined ? {} : { autoscale: status.autoscale };
}

function stageOf(state: ServiceState, { step, activeTemplate: active, wanted }: Situation): StageFacts | undefined {
  if (step !== undefined) {
    return canaryStage(state, step, wanted);
  }
  return active === undefined || active === state.service.templateHash ? undefined : greenStage(state, wanted);
}

function stuckReason({ rows, service }: ServiceState, { pending }: Placed): string | undefined {
  const [first] = pending;
  if (first !== undefined) {
    return `slot ${String(first.slot)}: ${first.reason}`;
  }
  const held = rows.find(row => isLive(row) && isOnLostNode(row));
  const paused = rows.find(row => isLive(row) && row.task.isPaused);
  if (held !== undefined || paused !== undefined) {
    return held !== undefined ? `${held.task.name} is on ${held.task.node}, which is lost` : `${paused?.task.name ?? ''} is paused`;
  }
  const troubled = rows.find(row => isLive(row) && isUpToDate(row, service) && !isServing(row) && (row.status?.reason ?? '') !== '');
  return troubled === undefined ? undefined : `${troubled.task.name} on ${troubled.task.node}: ${[troubled.status?.reason, troubled.status?.message].filter(text => text !== '').join(': ')}`;
}

function waits({ service, rows }: ServiceState, { crashLoops }: Situation, context: PlanContext): readonly (number | undefined)[] {
  return [
    ...crashLoops.map(loop => waitUntilMs(loop, context.nowMs)),
    ...rows.filter(row => isLive(row) && isOnLostNode(row)).map(row => context.nowMs + untilReplacedMs(row, service, context)),
  ].filter(time => time !== undefined && time > context.nowMs && Number.isFinite(time));
}

function eventsOf({ service, status }: ServiceState, next: ServiceStatus, pending: readonly PendingSlot[]): readonly PlannedEvent[] {
  const object = `service/${service.id}`;
  const events: PlannedEvent[] = [...pendingEvents(object, status?.pending ?? [], pending)];
  const counted = new Map(status?.crashLoops.map(one => [one.slot, one.task]));
  for (const loop of next.crashLoops.filter(one => counted.get(one.slot) !== one.task)) {
    events.push({ type: 'warning', object, reason: 'TaskFailed', message: `slot ${String(loop.slot)} failed ${timesText(loop.failures)}, task ${loop.task}` });
  }
  if (next.rollout.state !== status?.rollout.state) {
    const type = next.rollout.state === 'failed' ? 'warning' : 'normal';
    events.push({ type, object, reason: 'Rollout', message: `revision ${String(next.rollout.revision)} is ${next.rollout.state}${next.rollout.reason === '' ? '' : `: ${next.rollout.reason}`}` });
  }
  return events;
}

/** Why a task is replaced is told once, when its Revision is first seen. */
function resizeEvents({ service, status }: ServiceState, { resizes, replaced }: ResizePlan): readonly PlannedEvent[] {
  const told = status?.rollout.revision === service.revision ? [] : [...replaced];
  return [
    ...resizes.map((task): PlannedEvent => ({ type: 'normal', object: `task/${task.id}`, reason: 'Resizing', message: `${task.name} gets its new resources in place on ${task.node}` })),
    ...told.map(([id, why]): PlannedEvent => ({ type: 'normal', object: `task/${id}`, reason: 'NotInPlace', message: `its new resources need another task: ${why}` })),
  ];
}

function moveEvents(abandoned: MovePlan['abandoned']): readonly PlannedEvent[] {
  return abandoned.map(({ task, reason }) => ({ type: 'warning', object: `task/${task.id}`, reason: 'MoveAbandoned', message: `it stays where it is: ${reason}` }));
}

function earliest(times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter(time => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
