/** What a person is told when a task's observed status moves on. */
import type { Task, TaskStatus } from '#model/task.ts';
import type { PlannedEvent } from '../reconcile/plan.ts';

/** The agent's word for it. */
const CHILD_OOM = 'OOMKilledChild';
/** And for an end that was wished for, of the task or at the container itself. */
const STOPPED = 'stopped';

/** Events for the step from `previous` (undefined: first report) to `next`; none when nothing worth telling happened. */
export function statusEvents(task: Task, previous: TaskStatus | undefined, next: TaskStatus): readonly PlannedEvent[] {
  return [exitEvent(task, previous, next), childOomEvent(task, previous, next), startEvent(task, previous, next), healthEvent(task, previous, next), troubleEvent(task, previous, next)]
    .filter(event => event !== undefined);
}

type EventRule = (task: Task, previous: TaskStatus | undefined, next: TaskStatus) => PlannedEvent | undefined;

const exitEvent: EventRule = (task, previous, next) => {
  const exit = next.lastExit;
  if (exit === undefined || exit.attempt === previous?.lastExit?.attempt) {
    return undefined;
  }
  const code = exit.code === null ? 'exit code unknown' : `exit code ${String(exit.code)}`;
  return {
    type: exit.code === 0 || task.desired === 'stop' || exit.reason === STOPPED ? 'normal' : 'warning',
    object: `task/${task.id}`,
    reason: 'Exited',
    message: `${task.name} attempt ${String(exit.attempt)} on ${task.node}: ${code}, ${exit.reason}`,
  };
};

/** Of an attempt that ended before a sample could tell. */
const childOomEvent: EventRule = (task, previous, next) => {
  const exit = next.lastExit;
  const isTold = exit?.attempt === previous?.lastExit?.attempt || previous?.reason === CHILD_OOM;
  return exit?.hadChildOom !== true || isTold ? undefined : {
    type: 'warning', object: `task/${task.id}`, reason: CHILD_OOM,
    message: `${task.name} attempt ${String(exit.attempt)} on ${task.node}: the kernel killed processes of it for memory, but not its first one`,
  };
};

const startEvent: EventRule = (task, previous, next) => {
  const isNew = next.phase === 'running' && (previous?.phase !== 'running' || previous.attempt !== next.attempt);
  const reason = next.attempt > 1 ? 'Restarted' : 'Started';
  return isNew ? { type: 'normal', object: `task/${task.id}`, reason, message: `${task.name} attempt ${String(next.attempt)} runs on ${task.node}` } : undefined;
};

const healthEvent: EventRule = (task, previous, next) =>
  next.health === 'unhealthy' && previous?.health !== 'unhealthy'
    ? { type: 'warning', object: `task/${task.id}`, reason: 'Unhealthy', message: `${task.name}: ${next.message}` }
    : undefined;

/** Reasons whose message says what happened since: each is an event of its own. */
const COUNTED_REASONS: ReadonlySet<string> = new Set(['PullRetried', CHILD_OOM]);

const troubleEvent: EventRule = (task, previous, next) => {
  const hasFailed = next.phase === 'failed' && previous?.phase !== 'failed';
  return task.desired === 'run' && (hasFailed || isNewTrouble(previous, next))
    ? { type: 'warning', object: `task/${task.id}`, reason: eventReason(next), message: `${task.name}: ${next.message}` }
    : undefined;
};

/** What its health check says is told once, by `healthEvent`. */
function isNewTrouble(previous: TaskStatus | undefined, next: TaskStatus): boolean {
  const isAgain = COUNTED_REASONS.has(next.reason) && next.message !== previous?.message;
  return next.reason !== '' && next.reason !== STOPPED && next.reason.toLowerCase() !== 'unhealthy' && (next.reason !== previous?.reason || isAgain);
}

/** A word that fits into an event's key: letters, digits and `-`. */
function eventReason(status: TaskStatus): string {
  const word = status.reason.replace(/[^A-Za-z0-9-]/g, '-').slice(0, 63);
  return /^[A-Za-z]/.test(word) ? word : 'Failed';
}
