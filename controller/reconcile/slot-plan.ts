/** Which slots of a service get a task, and which tasks are to stop: one look at the state, within the update's budgets. */
import type { Service } from '#model/app.ts';
import type { NodeId } from '#model/ids.ts';
import { isCutOff, isDone, isLive, isOnLostNode, isServing, isUpToDate, mayRun, mayStay } from './task-row.ts';
import type { TaskRow } from './task-row.ts';

export interface WantedSlot {
  readonly slot: number;
  /** `global`: the node the slot belongs to. */
  readonly node?: NodeId;
}

export interface SlotInput {
  readonly service: Service;
  readonly rows: readonly TaskRow[];
  /** Ascending. */
  readonly wanted: readonly WantedSlot[];
  /** Slots that may not get a task now: back-off, retries used up, an unmet dependency. */
  readonly blocked: ReadonlySet<number>;
  /** The rollout failed and is paused: tasks of the old template stay as they are. */
  readonly isPaused: boolean;
  /** True when tasks on this lost node may be replaced by now. */
  readonly isReplaceable: (row: TaskRow) => boolean;
  /** True when the slot's task would fit on some node that may take it. */
  readonly fitsElsewhere: (slot: number) => boolean;
}

export interface Stop {
  readonly row: TaskRow;
  readonly reason: string;
}

export interface SlotCreate extends WantedSlot {
  readonly reason: string;
}

export interface SlotPlan {
  /** In order of importance; those that fit are created, at most `createLimit` of them. */
  readonly creates: readonly SlotCreate[];
  readonly createLimit: number;
  readonly stops: readonly Stop[];
  /** Tasks on lost nodes: to stop as soon as their slot has a new task, by slot. */
  readonly stopsOnceReplaced: readonly Stop[];
}

/** One wanted slot, sorted out. */
interface SlotState extends WantedSlot {
  /** Up to date, not on a leaving or lost node; best first: serving, then oldest. */
  readonly good: readonly TaskRow[];
  /** Live, to be replaced: old template or leaving node. */
  readonly outdated: readonly TaskRow[];
  /** Live on a lost node that was given up. */
  readonly lost: readonly TaskRow[];
  /** A task of the slot may still run somewhere, wanted or not. */
  readonly isOccupied: boolean;
  readonly isDone: boolean;
}

/** hold, stateful, job and `recreate` never have two tasks of a slot: the old one ends first. */
export function isStopFirst({ spec }: Service): boolean {
  return isExclusive({ spec }) || spec.update.strategy === 'recreate' || spec.update.maxSurge === 0;
}

/** At most one task of a slot at any instant (I11). */
export function isExclusive({ spec }: Pick<Service, 'spec'>): boolean {
  return spec.onDisconnect.kind === 'hold' || spec.kind === 'stateful' || spec.kind === 'job';
}

/** Exclusive slots survive the loss of their node untouched; so do those of `global`, which belong to it. */
export function isHeldOnLoss({ spec }: Service): boolean {
  return spec.onDisconnect.kind === 'hold' || spec.kind === 'global';
}

/** What still may run counts as a copy; on a lost node only where two must never be. */
function occupies(row: TaskRow, { spec }: Service): boolean {
  return mayRun(row) && (!isOnLostNode(row) || spec.onDisconnect.kind === 'hold');
}

export function planSlots(input: SlotInput): SlotPlan {
  const rowsOfSlot = Map.groupBy(input.rows, row => row.task.slot);
  const slots = input.wanted.map(wanted => sortOut(input, wanted, rowsOfSlot.get(wanted.slot) ?? []));
  const budget = budgetOf(input, slots);
  const missing = createMissing(input, slots);
  const replaced = replaceOutdated(input, slots, { ...budget, surgeRoom: budget.surgeRoom - missing.length });
  return {
    creates: [...missing, ...replaced.creates],
    createLimit: Math.max(0, budget.surgeRoom),
    stops: [...stopUnwanted(input), ...slots.flatMap(stopSuperfluous), ...replaced.stops],
    stopsOnceReplaced: slots.filter(slot => slot.good.length === 0).flatMap(stopLost),
  };
}

function stopLost(slot: SlotState): readonly Stop[] {
  return slot.lost.map(row => ({ row, reason: 'node-lost' }));
}

function sortOut(input: SlotInput, wanted: WantedSlot, rows: readonly TaskRow[]): SlotState {
  const { service } = input;
  const live = rows.filter(isLive);
  const lost = live.filter(row => isOnLostNode(row) && !isHeldOnLoss(service) && input.isReplaceable(row));
  const present = live.filter(row => !lost.includes(row));
  const newest = rows.filter(row => isUpToDate(row, service)).at(-1);
  return {
    ...wanted,
    good: present.filter(row => mayStay(row, service)).sort((left, right) => Number(isServing(right)) - Number(isServing(left))),
    outdated: present.filter(row => !mayStay(row, service)),
    lost,
    isOccupied: rows.some(row => occupies(row, service)),
    isDone: present.length === 0 && newest !== undefined && isDone(newest, service),
  };
}

/** Room for more copies, and for fewer serving slots (I7). */
interface Budget {
  readonly surgeRoom: number;
  readonly unavailableRoom: number;
}

function budgetOf({ service, rows, wanted }: SlotInput, slots: readonly SlotState[]): Budget {
  const { maxSurge, maxUnavailable } = service.spec.update;
  const surge = isStopFirst(service) ? 0 : maxSurge;
  const copies = rows.filter(row => occupies(row, service)).length;
  const atOnce = Math.min(wanted.length, service.spec.job?.parallelism ?? wanted.length);
  const serving = slots.filter(slot => slot.isDone || [...slot.good, ...slot.outdated].some(isServing)).length;
  // Both at 0 is refused at apply; were it stored, the service still could be updated.
  const unavailable = isStopFirst(service) ? Math.max(1, maxUnavailable) : maxUnavailable;
  return { surgeRoom: atOnce + surge - copies, unavailableRoom: serving - (wanted.length - unavailable) };
}

function createMissing(input: SlotInput, slots: readonly SlotState[]): readonly SlotCreate[] {
  const { service } = input;
  if (service.spec.update.strategy === 'recreate' && input.rows.some(row => occupies(row, service) && !isUpToDate(row, service))) {
    return [];
  }
  return slots
    .filter(slot => slot.good.length === 0 && slot.outdated.length === 0 && !slot.isDone && !input.blocked.has(slot.slot))
    .filter(slot => !(isExclusive(service) && slot.isOccupied) && isItsTurn(input, slots, slot))
    .map(slot => ({ ...wantedOf(slot), reason: slot.lost.length > 0 ? 'node-lost' : reasonFor(input, slot) }));
}

function wantedOf({ slot, node }: WantedSlot): WantedSlot {
  return node === undefined ? { slot } : { slot, node };
}

function reasonFor({ rows, service }: SlotInput, { slot }: WantedSlot): string {
  const newest = rows.findLast(row => row.task.slot === slot);
  if (newest === undefined) {
    return 'scale-up';
  }
  if (!isUpToDate(newest, service)) {
    return 'rollout';
  }
  if (newest.node === undefined) {
    return 'node-removed';
  }
  if (newest.task.desired === 'run') {
    return newest.status?.phase === 'failed' ? 'crash-loop' : 'ended';
  }
  return newest.task.reason === 'scale-down' ? 'scale-up' : newest.task.reason;
}

/** Stateful slots start in order: each waits until those below serve, unless their node is cut off. */
function isItsTurn({ service }: SlotInput, slots: readonly SlotState[], { slot }: SlotState): boolean {
  if (service.spec.kind !== 'stateful') {
    return true;
  }
  return slots.filter(lower => lower.slot < slot)
    .every(lower => lower.isDone || [...lower.good, ...lower.outdated].some(row => isServing(row) || isCutOff(row)));
}

/** More than the slot needs: what a serving good task replaced; until one serves, all but one of the outdated that do. */
function stopSuperfluous(slot: SlotState): readonly Stop[] {
  const [best, ...rest] = slot.good;
  if (best !== undefined && isServing(best)) {
    return [...[...slot.outdated, ...rest].map(row => ({ row, reason: 'replaced' })), ...stopLost(slot)];
  }
  const keep = slot.outdated.findLast(isServing);
  return keep === undefined ? [] : slot.outdated.filter(row => row !== keep).map(row => ({ row, reason: 'replaced' }));
}

/** Slots that are not wanted any more, highest first; of a stateful service only the highest that still runs. */
function stopUnwanted({ service, rows, wanted }: SlotInput): readonly Stop[] {
  const keep = new Set(wanted.map(one => one.slot));
  const unwanted = rows.filter(row => !keep.has(row.task.slot) && mayRun(row)).reverse();
  const stops = unwanted.filter(isLive).map(row => ({ row, reason: unwantedReason(service, row) }));
  if (service.spec.kind !== 'stateful') {
    return stops;
  }
  const highest = unwanted.find(row => !isOnLostNode(row))?.task.slot;
  return stops.filter(({ row }) => row.task.slot === highest || isOnLostNode(row));
}

function unwantedReason(service: Service, row: TaskRow): string {
  if (service.spec.kind !== 'global') {
    return 'scale-down';
  }
  return row.node?.availability === 'draining' ? 'drain' : 'node-not-eligible';
}

/**
 * Slots whose only tasks are outdated: a replacement first while there is room, then the old one out as far as availability
 * allows. Creates beyond the room are offered too: they are taken when an earlier one fits nowhere.
 */
function replaceOutdated(input: SlotInput, slots: readonly SlotState[], budget: Budget): Pick<SlotPlan, 'creates' | 'stops'> {
  const creates: SlotCreate[] = [];
  const stops: Stop[] = [];
  let { unavailableRoom } = budget;
  const candidates = slots.filter(slot => slot.good.length === 0 && slot.outdated.length > 0 && mayReplace(input, slot));
  for (const slot of input.service.spec.kind === 'stateful' ? candidates.toReversed() : candidates) {
    const reason = slot.outdated.every(row => isUpToDate(row, input.service)) ? 'drain' : 'rollout';
    const step = nextStep(input, slot, { surgeRoom: budget.surgeRoom - creates.length, unavailableRoom });
    if (step === 'create') {
      creates.push({ ...wantedOf(slot), reason });
    } else if (step === 'stop') {
      unavailableRoom -= slot.outdated.some(isServing) ? 1 : 0;
      stops.push(...stillWanted(slot).map(row => ({ row, reason })));
    }
  }
  return { creates, stops };
}

/** The outdated tasks that `stopSuperfluous` leaves. */
function stillWanted(slot: SlotState): readonly TaskRow[] {
  const keep = slot.outdated.findLast(isServing);
  return keep === undefined ? slot.outdated : [keep];
}

/** A paused rollout keeps old templates where they are; a leaving node is left all the same. */
function mayReplace({ isPaused }: SlotInput, { outdated }: SlotState): boolean {
  return !isPaused || outdated.some(row => row.node?.availability === 'draining');
}

function nextStep(input: SlotInput, slot: SlotState, budget: Budget): 'create' | 'stop' | 'wait' {
  const { service } = input;
  if (input.blocked.has(slot.slot)) {
    return 'wait';
  }
  const isLeaving = slot.outdated.some(row => row.node?.availability === 'draining');
  const mayStop = (): boolean => !isLeaving || input.fitsElsewhere(slot.slot);
  if (!slot.outdated.some(isServing) || service.spec.kind === 'job') {
    return mayStop() ? 'stop' : 'wait';
  }
  if (service.spec.update.strategy === 'recreate' && slot.outdated.some(row => !isUpToDate(row, service))) {
    return 'stop';
  }
  const hasSurge = !isStopFirst(service);
  if (hasSurge && budget.surgeRoom > 0) {
    return 'create';
  }
  if (budget.unavailableRoom > 0 && mayStop()) {
    return 'stop';
  }
  return hasSurge ? 'create' : 'wait';
}

/** True when each wanted slot has a serving task that may stay (or is done), and nothing else is wanted to run. */
export function isConverged(service: Service, rows: readonly TaskRow[], wanted: readonly WantedSlot[]): boolean {
  const live = rows.filter(isLive);
  const rowsOfSlot = Map.groupBy(rows, row => row.task.slot);
  const isEachServed = wanted.every(({ slot }) => {
    const ofSlot = rowsOfSlot.get(slot) ?? [];
    const newest = ofSlot.findLast(row => isUpToDate(row, service));
    const isServed = ofSlot.some(row => isLive(row) && satisfies(row, service));
    return isServed || (newest !== undefined && isDone(newest, service));
  });
  return isEachServed && live.length <= wanted.length && live.every(row => mayStay(row, service));
}

/** A task of a `global` service on a lost node is all that can be there; a job's task serves only by being done. */
function satisfies(row: TaskRow, service: Service): boolean {
  if (service.spec.kind === 'job') {
    return false;
  }
  return mayStay(row, service) && (isServing(row) || (service.spec.kind === 'global' && isOnLostNode(row)));
}
