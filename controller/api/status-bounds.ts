/** What an agent may report of one task, in bytes: its texts are stored, mirrored by every controller and shown. */
import type { CompanionStatus, TaskExit, TaskStatus } from '#model/task.ts';
import { boundedText, MAX_MESSAGE_BYTES, MAX_WORD_BYTES } from '../store/bounded-text.ts';

/** More than a task may have. */
const MAX_COMPANIONS = 64;

/** The status with texts and lists of bounded size. */
export function boundedStatus(status: TaskStatus): TaskStatus {
  const { lastExit, companions, address } = status;
  return {
    ...status,
    reason: boundedText(status.reason, MAX_WORD_BYTES),
    message: boundedText(status.message, MAX_MESSAGE_BYTES),
    ...(address === undefined ? {} : { address: boundedText(address, MAX_WORD_BYTES) }),
    ...(lastExit === undefined ? {} : { lastExit: boundedExit(lastExit) }),
    ...(companions === undefined ? {} : { companions: companions.slice(0, MAX_COMPANIONS).map(boundedCompanion) }),
  };
}

function boundedExit(exit: TaskExit): TaskExit {
  return { ...exit, reason: boundedText(exit.reason, MAX_WORD_BYTES) };
}

function boundedCompanion(companion: CompanionStatus): CompanionStatus {
  const { name, lastExit } = companion;
  return { ...companion, name: boundedText(name, MAX_WORD_BYTES), ...(lastExit === undefined ? {} : { lastExit: boundedExit(lastExit) }) };
}
