import type { AssignedContent } from '#model/assignment.ts';
import { describeCompanion } from '#model/companion.ts';
import type { ContainerEnd } from '../runtime/ports.ts';
import { isDiskPressure } from '../disk-pressure.ts';
import { afterCompanionClear, afterCompanionEnd, afterCompanionFailed, errorText } from './attempt-end.ts';
import type { CompanionCrew } from './companion-crew-flow.ts';
import type { CompanionAction } from './companion-phase.ts';
import { NotPermittedError, StartError } from './container-flow.ts';
import type { TaskParts } from './ports.ts';
import { companionOf } from './record.ts';
import type { CompanionRecord, TaskRecord } from './record.ts';
import { startCompanion } from './start-flow.ts';

/** What a task's loop lends for one action: its record is the loop's to write. */
export interface CompanionWork {
  readonly crew: CompanionCrew;
  /** As it is now. */
  readonly record: () => TaskRecord;
  readonly contents: ReadonlyMap<string, AssignedContent>;
  readonly save: (index: number, companion: CompanionRecord) => Promise<void>;
  readonly tell: (type: 'normal' | 'warning', reason: string, message: string) => void;
  /** Runs what a stop of the task ends at once. */
  readonly whileBuilding: (work: (building: AbortSignal) => Promise<void>) => Promise<void>;
}

/** Carries out one action on a companion of the task, and records what came of it. */
export async function actOnCompanion(action: CompanionAction, work: CompanionWork, parts: TaskParts, signal: AbortSignal): Promise<void> {
  const { index } = action;
  const { crew } = work;
  switch (action.kind) {
    case 'start-companion':
      await start(index, work, parts, signal);
      break;
    case 'settle-companion':
      await settle(index, action.end, work);
      break;
    case 'clear-companion':
      await crew.clear(work.record(), index);
      await work.save(index, afterCompanionClear(companionOf(work.record(), index)));
      break;
    case 'signal-companion':
      await crew.signal(work.record(), index);
      break;
  }
}

async function settle(index: number, end: ContainerEnd, { crew, record, save, tell }: CompanionWork): Promise<void> {
  const ended = afterCompanionEnd(record(), index, end);
  crew.settled(index);
  tell(end.code === 0 ? 'normal' : 'warning', 'CompanionExited', `${describeCompanion(record().task, index)}: ${ended.lastExit?.reason ?? ''}, code ${String(end.code)}`);
  await save(index, ended);
}

/** Before the main container runs, a companion that cannot be started is the end of the attempt; afterwards its own policy says what follows. */
async function start(index: number, work: CompanionWork, parts: TaskParts, signal: AbortSignal): Promise<void> {
  const { record, contents, save, tell, whileBuilding } = work;
  const isBefore = record().step === 'preparing';
  await whileBuilding(async building => {
    try {
      const running = await startCompanion({ record: record(), index, contents, save: async companion => { await save(index, companion); } }, parts, building);
      await save(index, running);
      tell('normal', 'CompanionStarted', `${describeCompanion(record().task, index)} runs`);
    } catch (error) {
      if (isBefore || signal.aborted || isDiskPressure(error)) throw error;
      if (!building.aborted && !(error instanceof NotPermittedError)) await afterThrew(index, error, work, parts);
    }
  });
}

async function afterThrew(index: number, error: unknown, { record, save, tell }: CompanionWork, { log, clock }: TaskParts): Promise<void> {
  const { task, attempt } = record();
  log.warn({ task: task.id, attempt, companion: index, err: error }, 'sidecar did not start');
  tell('warning', error instanceof StartError ? error.reason : 'StartFailed', `${describeCompanion(task, index)}: ${errorText(error)}`);
  await save(index, afterCompanionFailed(record(), index, clock.nowMs()));
}
