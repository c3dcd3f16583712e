/** `pause`, `unpause`: returns when the processes stand still, or run on. */
import { ClusterError } from '#model/errors.ts';
import type { TaskId } from '#model/ids.ts';
import type { ClusterView, TaskView } from '#model/ports.ts';
import { isFinished } from '#model/task.ts';
import { listNamespace } from '../options.ts';
import type { Shell } from '../ports.ts';
import { describeFound, requireWorkload } from '../target.ts';
import type { Workload } from '../target.ts';
import { watchUntil } from './watch-flow.ts';

/** What one call takes; it is done for all of these or none. */
const TASKS_A_CALL = 100;

/** Every target is looked at before the first is changed. @throws ClusterError FAILED_PRECONDITION where there is nothing to pause, or nothing paused */
export async function setPaused(shell: Shell, names: readonly string[], isPaused: boolean): Promise<void> {
  const client = await shell.connect();
  const namespace = listNamespace(shell.options);
  const filter = namespace === undefined ? {} : { namespace };
  const view = await client.view(filter);
  const ids = [...new Set(names.flatMap(name => tasksMeant(requireWorkload(name, view), isPaused)))];
  for (let start = 0; start < ids.length; start += TASKS_A_CALL) {
    await client.setPaused({ requestId: shell.newRequestId(), tasks: ids.slice(start, start + TASKS_A_CALL), isPaused });
  }
  const waited = new Set(ids);
  await watchUntil(shell, filter, now => (isCarriedOut(now, waited, isPaused) ? true : undefined));
  await shell.terminal.write(names.map(name => `${name}\n`).join(''));
}

function tasksMeant({ found, tasks }: Workload, isPaused: boolean): readonly TaskId[] {
  const meant = tasks.filter(view => (isPaused ? view.state === 'running' && !view.task.isPaused : isLive(view) && (view.task.isPaused || view.state === 'paused')));
  if (meant.length === 0) {
    const isAlready = tasks.some(view => isLive(view) && view.task.isPaused);
    throw new ClusterError('FAILED_PRECONDITION', `${describeFound(found)} is ${isPaused ? isAlready ? 'already paused' : 'not running' : 'not paused'}`);
  }
  return meant.map(({ task }) => task.id);
}

/** A task that ends, that somebody turned round, or whose node is lost is not waited for. */
function isCarriedOut(view: ClusterView, ids: ReadonlySet<TaskId>, isPaused: boolean): boolean {
  return view.tasks.filter(({ task }) => ids.has(task.id))
    .every(one => !isLive(one) || one.state === 'lost' || one.task.isPaused !== isPaused || (one.state === 'paused') === isPaused);
}

function isLive({ task, status }: TaskView): boolean {
  return task.desired === 'run' && (status === undefined || !isFinished(status.phase));
}
