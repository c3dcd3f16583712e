/** What an attempt, and at the end its task, leaves on the node is taken away. */
import { afterClear } from './attempt-end.ts';
import type { CompanionCrew } from './companion-crew-flow.ts';
import { clearContainers, filesOf } from './container-flow.ts';
import type { TaskParts } from './ports.ts';
import { claimedContainers, lastAttempt } from './record.ts';
import type { TaskBook } from './task-book-flow.ts';

/** Attempts whose logs stay, the newest among them. */
const KEPT_LOGS = 3;

/** All of an attempt goes by its names, each part whatever the others do. */
export async function clearAttempt(book: TaskBook, crew: Pick<CompanionCrew, 'dismiss'>, parts: TaskParts): Promise<void> {
  const { task, attempt } = book.record;
  await clearContainers(claimedContainers(book.record), parts);
  parts.deadman.release(task.id);
  crew.dismiss();
  if (attempt > KEPT_LOGS) await parts.records.dropLogs(task.id, log => log.attempt <= attempt - KEPT_LOGS);
  book.saveSoon(afterClear(book.record));
}

/** Nothing of the task runs again: what it held across attempts goes back. */
export async function releaseTask(book: TaskBook, ending: { readonly phase: 'complete' | 'failed'; readonly isStopped: boolean }, parts: TaskParts): Promise<void> {
  const { slot, deviceUnits: _, ...rest } = book.record;
  const { phase, isStopped } = ending;
  parts.devices.release(rest.task.id);
  for (const { key } of filesOf(rest.task)) await parts.volumes.remove(key);
  if (slot !== undefined) {
    await parts.proxy.dismiss(slot.address);
    await parts.network.release(slot.id);
  }
  await book.save({ ...rest, attempt: lastAttempt(book.record), step: 'finished', ending: { kind: 'finish', phase }, ...(isStopped ? { reason: 'stopped', message: '' } : {}) });
  const { reason, message } = book.record;
  book.tell(phase === 'failed' ? 'warning' : 'normal', phase === 'failed' ? 'Failed' : 'Finished', message === '' ? reason : message);
}
