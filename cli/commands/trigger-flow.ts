/** `trigger CRON...`: a run now, beside the schedule. */
import { ClusterError } from '#model/errors.ts';
import type { ServiceId } from '#model/ids.ts';
import { splitServiceId } from '#model/ids.ts';
import { listNamespace } from '../options.ts';
import type { Shell } from '../ports.ts';
import { describeFound, requireTarget } from '../target.ts';
import { say } from './print-flow.ts';
import { watchUntil } from './watch-flow.ts';

export interface TriggerFlags {
  readonly wait?: boolean;
}

/** @throws ClusterError FAILED_PRECONDITION for what is no cron, and with `--wait` when a run failed */
export async function triggerCrons(shell: Shell, names: readonly string[], flags: TriggerFlags): Promise<void> {
  const client = await shell.connect();
  const namespace = listNamespace(shell.options);
  const view = await client.view(namespace === undefined ? {} : { namespace });
  const crons = names.map(name => requireTarget(name, view, ['service']));
  const other = crons.find(({ service: { service } }) => service.spec.kind !== 'cron');
  if (other !== undefined) {
    throw new ClusterError('FAILED_PRECONDITION', `${describeFound(other)} is of kind ${other.service.service.spec.kind}; only a cron is triggered`);
  }
  const runs: ServiceId[] = [];
  for (const { service: { service } } of crons) {
    const run = await client.runCron({ requestId: shell.newRequestId(), service: service.id });
    runs.push(run.service);
    await say(shell, `${describeRun(run.service)} started`);
  }
  for (const run of flags.wait === true ? runs : []) {
    await waitForRun(shell, run);
  }
}

function describeRun(run: ServiceId): string {
  const { app, service } = splitServiceId(run);
  return `job/${app}/${service}`;
}

async function waitForRun(shell: Shell, id: ServiceId): Promise<void> {
  const { namespace, app } = splitServiceId(id);
  let wasThere = false;
  const end = await watchUntil(shell, { namespace, app }, view => {
    const run = view.services.find(({ service }) => service.id === id);
    if (run === undefined) {
      return Promise.resolve(wasThere ? { isDone: false, reason: 'it was deleted' } : undefined);
    }
    wasThere = true;
    const { state, reason } = run.status?.rollout ?? { state: 'progressing', reason: '' };
    return Promise.resolve(state === 'settled' || state === 'failed' ? { isDone: state === 'settled', reason } : undefined);
  });
  if (!end.isDone) {
    throw new ClusterError('FAILED_PRECONDITION', `${describeRun(id)} failed: ${end.reason}`);
  }
  await say(shell, `${describeRun(id)} complete`);
}
