/** Which slots of a service get a task, and which tasks are to stop: one look at the state, within the update's budgets. */
import type { Service } from '#model/app.ts';
import { hasOneCopy } from '#model/exclusive.ts';
import type { NodeId } from '#model/ids.ts';
import { hasFailed, isCutOff, isLeaving, isLive, isOnLostNode, isServing, isSlotDone, isUpToDate, mayRun, mayStay } from './task-row.ts';
import type { TaskRow } from './task-row.ts';

export interface WantedSlot {
  readonly slot: number;
  /** `global`: the node the slot belongs to. Else where its task was told to move. */
  readonly node?: NodeId;
}

export interface SlotInput {
  readonly service: Service;
  readonly rows: readonly TaskRow[];
  /** Ascending. */
  readonly wanted: readonly WantedSlot[];
  /** Slots that may not get a task now: back-off, retries used up, an unmet dependency. */
  readonly blocked: ReadonlySet<number>;
  /** The rollout failed, or an operator paused it: tasks of the old template stay as they are. */
  readonly isPaused: boolean;
  /** Slots that may have the new template (a canary's share); absent: all. */
  readonly newLimit?: number;
  /** Tasks of the old template can still be made. */
  readonly canMakeOld?: boolean;
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
  /** Where it goes if it fits there. */
  readonly preferred?: NodeId;
  /** Of the template before: the slot's turn has not come. */
  readonly isOld?: true;
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
  /** It needs no task. Of a job some may run still, in place of one that was given up and ended well after all. */
  readonly isDone: boolean;
  /** Has a task of the new template. */
  readonly isNew: boolean;
  /** Its newest task; one that failed is not made again from the old template. */
  readonly newest: TaskRow | undefined;
}

/** hold, exclusive, stateful, job and `recreate` never have two tasks of a slot: the old one ends first. */
export function isStopFirst({ spec }: Service): boolean {
  return isExclusive({ spec }) || spec.update.strategy === 'recreate' || spec.update.maxSurge === 0;
}

/** At most one task of a slot at any instant (I11). */
export function isExclusive({ spec }: Pick<Service, 'spec'>): boolean {
  return hasOneCopy(spec.onDisconnect) || spec.kind === 'stateful' || spec.kind === 'job';
}

/** Held slots survive the loss of their node untouched; so do those of `global`, which belong to it. */
export function isHeldOnLoss({ spec }: Service): boolean {
  return spec.onDisconnect.kind === 'hold' || spec.kind === 'global';
}

/** What still may run counts as a copy; on a lost node only where two must never be, and until it has stopped itself for sure. */
export function occupies(row: TaskRow, { service: { spec: { onDisconnect } }, isReplaceable }: Pick<SlotInput, 'service' | 'isReplaceable'>): boolean {
  return mayRun(row) && (!isOnLostNode(row) || onDisconnect.kind === 'hold' || (onDisconnect.kind === 'exclusive' && !isReplaceable(row)));
}

export function planSlots(input: SlotInput): SlotPlan {
  const rowsOfSlot = Map.groupBy(input.rows, row => row.task.slot);
  const slots = input.wanted.map(wanted => sortOut(input, wanted, rowsOfSlot.get(wanted.slot) ?? []));
  const budget = budgetOf(input, slots);
  const room = newRoom(input, slots);
  const missing = createMissing(input, slots, room);
  const left = room - missing.filter(one => one.isOld !== true).length;
  const replaced = replaceOutdated(input, slots, { ...budget, surgeRoom: budget.surgeRoom - missing.length, newRoom: left });
  return {
    creates: [...missing, ...replaced.creates],
    createLimit: Math.max(0, budget.surgeRoom),
    stops: [...stopUnwanted(input), ...slots.flatMap(stopSuperfluous), ...replaced.stops],
    stopsOnceReplaced: slots.filter(slot => slot.good.length === 0 && !slot.isDone).flatMap(stopLost),
  };
}

/** How many more slots may get the new template. */
function newRoom({ isPaused, newLimit = Number.POSITIVE_INFINITY }: SlotInput, slots: readonly SlotState[]): number {
  return isPaused ? 0 : Math.max(0, newLimit - slots.filter(slot => slot.isNew).length);
}

function stopLost(slot: SlotState): readonly Stop[] {
  return slot.lost.map(row => ({ row, reason: 'node-lost' }));
}

function sortOut(input: SlotInput, wanted: WantedSlot, rows: readonly TaskRow[]): SlotState {
  const { service } = input;
  const live = rows.filter(isLive);
  const lost = live.filter(row => isOnLostNode(row) && !isHeldOnLoss(service) && input.isReplaceable(row));
  const present = live.filter(row => !lost.includes(row));
  return {
    ...wanted,
    good: present.filter(row => mayStay(row, service)).sort((left, right) => Number(isServing(right)) - Number(isServing(left))),
    outdated: present.filter(row => !mayStay(row, service)),
    lost,
    isOccupied: rows.some(row => occupies(row, input)),
    isDone: (service.spec.kind === 'job' || present.length === 0) && isSlotDone(rows, service),
    isNew: live.some(row => isUpToDate(row, service)),
    newest: rows.at(-1),
  };
}

/** Room for more copies, and for fewer serving slots (I7). */
interface Budget {
  readonly surgeRoom: number;
  readonly unavailableRoom: number;
}

function budgetOf(input: SlotInput, slots: readonly SlotState[]): Budget {
  const { service, rows, wanted } = input;
  const { maxSurge, maxUnavailable } = service.spec.update;
  const surge = isStopFirst(service) ? 0 : maxSurge;
  const copies = rows.filter(row => occupies(row, input));
  // A new leader has yet to count how long one is cut off that was replaced already: its slot is one copy all the same.
  const copyCount = service.spec.onDisconnect.kind === 'exclusive' ? new Set(copies.map(row => row.task.slot)).size : copies.length;
  const atOnce = Math.min(wanted.length, service.spec.job?.parallelism ?? wanted.length);
  const serving = slots.filter(slot => slot.isDone || [...slot.good, ...slot.outdated].some(isServing)).length;
  // Both at 0 is refused at apply; were it stored, the service still could be updated.
  const unavailable = isStopFirst(service) ? Math.max(1, maxUnavailable) : maxUnavailable;
  return { surgeRoom: atOnce + surge - copyCount, unavailableRoom: serving - (wanted.length - unavailable) };
}

function createMissing(input: SlotInput, slots: readonly SlotState[], room: number): readonly SlotCreate[] {
  const { service } = input;
  if (service.spec.update.strategy === 'recreate' && input.rows.some(row => occupies(row, input) && !isUpToDate(row, service))) {
    return [];
  }
  const missing = slots
    .filter(slot => slot.good.length === 0 && slot.outdated.length === 0 && !slot.isDone && !input.blocked.has(slot.slot))
    .filter(slot => !(isExclusive(service) && slot.isOccupied) && isItsTurn(input, slots, slot));
  const chosen = new Set([...missing].sort((left, right) => Number(wasNew(input, right)) - Number(wasNew(input, left))).slice(0, Math.min(room, missing.length)));
  return missing.map(slot => ({
    ...wantedOf(slot), reason: slot.lost.length > 0 ? 'node-lost' : reasonFor(input, slot), ...(chosen.has(slot) || !mayBeOld(input, slot) ? {} : { isOld: true }),
  }));
}

function wasNew({ service }: SlotInput, { newest }: SlotState): boolean {
  return newest !== undefined && isUpToDate(newest, service);
}

/** What failed with the old template is not tried with it again: nothing would count its failures. */
function mayBeOld({ canMakeOld }: SlotInput, { newest }: SlotState): boolean {
  return canMakeOld === true && (newest === undefined || !hasFailed(newest));
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

/** More than the slot needs: all of one that is done; what a serving good task replaced; until one serves, all but one of the outdated that do. */
function stopSuperfluous(slot: SlotState): readonly Stop[] {
  const [best, ...rest] = slot.good;
  if (slot.isDone) {
    return [...slot.good, ...slot.outdated, ...slot.lost].map(row => ({ row, reason: 'done' }));
  }
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
function replaceOutdated(input: SlotInput, slots: readonly SlotState[], budget: Budget & { readonly newRoom: number }): Pick<SlotPlan, 'creates' | 'stops'> {
  const creates: SlotCreate[] = [];
  const stops: Stop[] = [];
  let { unavailableRoom, newRoom: room } = budget;
  const candidates = slots.filter(slot => slot.good.length === 0 && slot.outdated.length > 0 && !slot.isDone);
  for (const slot of input.service.spec.kind === 'stateful' ? candidates.toReversed() : candidates) {
    const isRenewed = slot.isNew || room > 0;
    const reason = replaceReason(input, slot, isRenewed);
    const step = isRenewed || slot.outdated.some(isLeaving) ? nextStep(input, slot, { surgeRoom: budget.surgeRoom - creates.length, unavailableRoom }) : 'wait';
    room -= takesRoom(slot, isRenewed, step);
    if (step === 'create') {
      creates.push({ ...wantedOf(slot), ...moveOf(slot), reason, ...oldOf(input, slot, isRenewed) });
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

function takesRoom(slot: SlotState, isRenewed: boolean, step: 'create' | 'stop' | 'wait'): number {
  return step === 'wait' || slot.isNew || !isRenewed ? 0 : 1;
}

function oldOf(input: SlotInput, slot: SlotState, isRenewed: boolean): Pick<SlotCreate, 'isOld'> {
  return isRenewed || !mayBeOld(input, slot) ? {} : { isOld: true };
}

/** A leaving node is left also by slots whose turn for the new template has not come. */
function replaceReason({ service }: SlotInput, { outdated }: SlotState, isRenewed: boolean): string {
  if (isRenewed && !outdated.every(row => isUpToDate(row, service))) {
    return 'rollout';
  }
  return outdated.some(row => row.node?.availability === 'draining') ? 'drain' : 'move';
}

function moveOf({ outdated }: SlotState): Pick<WantedSlot, 'node'> {
  const node = outdated.findLast(isLeaving)?.task.moveTo;
  return node === undefined ? {} : { node };
}

function nextStep(input: SlotInput, slot: SlotState, budget: Budget): 'create' | 'stop' | 'wait' {
  const { service } = input;
  if (input.blocked.has(slot.slot)) {
    return 'wait';
  }
  const mayStop = (): boolean => !slot.outdated.some(isLeaving) || input.fitsElsewhere(slot.slot);
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
    return ofSlot.some(row => isLive(row) && satisfies(row, service)) || isSlotDone(ofSlot, service);
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
