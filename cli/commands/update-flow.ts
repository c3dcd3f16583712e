/** `update`: what a service's tasks, or one task, may use, changed while they run. */
import type { ResourceTarget, TaskView } from '#model/ports.ts';
import { ClusterError } from '#model/errors.ts';
import type { Limits, ResourceChange } from '#model/resources.ts';
import { isFinished } from '#model/task.ts';
import { listNamespace } from '../options.ts';
import type { Shell } from '../ports.ts';
import { changeFor, readResourceFlags } from '../resource-flags.ts';
import type { ResourceFlags } from '../resource-flags.ts';
import { describeFound, requireWorkload } from '../target.ts';
import type { Workload } from '../target.ts';

export type UpdateFlags = ResourceFlags;

interface Updated {
  readonly target: ResourceTarget;
  readonly change: ResourceChange;
}

/** Every flag and target is looked at before the first is changed. */
export async function updateTargets(shell: Shell, names: readonly string[], flags: UpdateFlags): Promise<void> {
  const wish = readResourceFlags(flags);
  const client = await shell.connect();
  const namespace = listNamespace(shell.options);
  const view = await client.view(namespace === undefined ? {} : { namespace });
  const updates = names.map(name => ({
    name, each: subjectsOf(requireWorkload(name, view)).map(({ target, limits }): Updated => ({ target, change: changeFor(wish, limits.memoryBytes) })),
  }));
  for (const { name, each } of updates) {
    for (const { target, change } of each) {
      await client.updateResources({ requestId: shell.newRequestId(), target, change });
    }
    await shell.terminal.write(`${name}\n`);
  }
}

/** Of an App that `run` made, its task: docker's container. */
function subjectsOf({ found, tasks }: Workload): readonly { readonly target: ResourceTarget; readonly limits: Limits }[] {
  if (found.kind === 'service') {
    const { id, spec } = found.service.service;
    return [{ target: { kind: 'service', service: id }, limits: spec.container.limits }];
  }
  const live = tasks.filter(view => found.kind === 'task' || isLive(view));
  if (live.length === 0) {
    throw new ClusterError('FAILED_PRECONDITION', `${describeFound(found)} is not running`);
  }
  return live.map(({ task }) => ({ target: { kind: 'task', task: task.id }, limits: task.container.limits }));
}

function isLive({ task, status }: TaskView): boolean {
  return task.desired === 'run' && (status === undefined || !isFinished(status.phase));
}
