/** blue_green: a whole set of new tasks beside the old ones, which serve until the switch and stay until the new ones were watched. */
import type { Service } from '#model/app.ts';
import { occupies, planSlots } from './slot-plan.ts';
import type { SlotInput, SlotPlan, Stop } from './slot-plan.ts';
import { isLive, isUpToDate } from './task-row.ts';

export interface BlueGreen {
  /** Template that gets the requests; undefined: there are no old tasks. */
  readonly active: string | undefined;
  /** What the old tasks were made from, where it is known. */
  readonly before: Service | undefined;
  /** The new tasks were watched for the monitor time. */
  readonly isSettled: boolean;
}

/**
 * Each colour by the rules of any service, as if the other were not there: at most twice the replicas and the surge. Until the switch the old ones
 * are kept whole; then they are left as they are, and go once the Revision has settled. Tasks of neither colour go at once.
 */
export function planBlueGreen(input: SlotInput, { active, before, isSettled }: BlueGreen): SlotPlan {
  const { service, rows } = input;
  const others = rows.filter(row => !isUpToDate(row, service));
  if (!others.some(isLive)) {
    return planSlots(input);
  }
  const room = roomOf(input);
  const green = planGreen(input);
  const blueRows = others.filter(row => row.task.templateHash === active);
  const stale = others.filter(row => isLive(row) && !blueRows.includes(row)).map((row): Stop => ({ row, reason: 'replaced' }));
  if (active === undefined || active === service.templateHash) {
    return { ...green, createLimit: Math.min(green.createLimit, room), stops: isSettled ? [...green.stops, ...stale] : green.stops };
  }
  const blue = planBlue(input, blueRows, before);
  return {
    creates: [...blue.creates, ...green.creates],
    createLimit: Math.min(blue.createLimit + green.createLimit, room),
    stops: [...green.stops, ...blue.stops, ...stale],
    stopsOnceReplaced: [...green.stopsOnceReplaced, ...blue.stopsOnceReplaced],
  };
}

/** What stops, and what is of neither colour, is there until it has ended. */
function roomOf(input: SlotInput): number {
  const { service, rows, wanted } = input;
  return Math.max(0, 2 * (wanted.length + service.spec.update.maxSurge) - rows.filter(row => occupies(row, input)).length);
}

function planGreen(input: SlotInput): SlotPlan {
  const plan = planSlots({ ...input, rows: input.rows.filter(row => isUpToDate(row, input.service)), isPaused: false });
  const creates = plan.creates.map(create => ({ ...create, reason: create.reason === 'scale-up' ? 'rollout' : create.reason }));
  return { ...plan, creates: input.isPaused ? [] : creates };
}

/** The old tasks go on as their own Revision says; where that is not known, they are only taken out of slots that are not wanted. */
function planBlue(input: SlotInput, rows: SlotInput['rows'], before: Service | undefined): SlotPlan {
  const isKnown = before !== undefined && rows.every(row => isUpToDate(row, before));
  const plan = planSlots({
    ...input, service: isKnown ? before : input.service, rows, blocked: new Set(isKnown ? [] : input.wanted.map(one => one.slot)), isPaused: !isKnown,
  });
  return { ...plan, creates: plan.creates.map(create => ({ ...create, isOld: true })) };
}
