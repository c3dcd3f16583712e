/** `scale shop/web=5 ...`, `stop`, `restart`. */
import { ClusterError } from '#model/errors.ts';
import type { ServiceId } from '#model/ids.ts';
import { listNamespace, readCount, UsageError } from '../options.ts';
import type { ControlClient, TaskView } from '#model/ports.ts';
import { isFinished } from '#model/task.ts';
import type { Shell } from '../ports.ts';
import { describeFound, requireTarget, requireWorkload } from '../target.ts';
import { say } from './print-flow.ts';
import { awaitRouted } from './routed-flow.ts';
import { stopContainers } from './signal-flow.ts';
import { ProgressLines } from './progress-flow.ts';
import { watchUntil } from './watch-flow.ts';

const MAX_REPLICAS = 10_000;
const MAX_GRACE_SECONDS = 86_400;

export interface ScaleFlags {
  readonly replicas?: string;
  readonly wait?: boolean;
}

export async function scaleServices(shell: Shell, pairs: readonly string[], flags: ScaleFlags): Promise<void> {
  const wishes = pairs.map(pair => readWish(pair, flags.replicas));
  const twice = wishes.find(({ target }, index) => wishes.findIndex(one => one.target === target) < index);
  if (twice !== undefined) {
    throw new UsageError(`${twice.target} is named twice; write each service once`);
  }
  const { client, view } = await look(shell);
  const services = wishes.map(({ target, replicas }) => ({ replicas, found: requireTarget(target, view, ['service']) }));
  for (const { replicas, found } of services) {
    const { service } = found.service;
    if (service.spec.kind === 'global') {
      throw new ClusterError('FAILED_PRECONDITION', `${describeFound(found)} is global: the nodes decide how many run`);
    }
    await client.scale({ requestId: shell.newRequestId(), service: service.id, replicas });
    await say(shell, `${describeFound(found)} scaled to ${String(replicas)}`);
  }
  for (const { replicas, found } of flags.wait === true ? services : []) {
    await waitForScale(shell, found.service.service.id, replicas);
  }
}

export interface StopFlags {
  readonly time?: string;
}

/** Ends a task (another takes its place where the service wants one), or scales a service to nothing. */
export async function stopTargets(shell: Shell, names: readonly string[], flags: StopFlags = {}): Promise<void> {
  const graceMs = readGrace(flags);
  const { client, view } = await look(shell);
  for (const { name, workload } of names.map(one => ({ name: one, workload: requireWorkload(one, view) }))) {
    const { found, tasks } = workload;
    if (found.kind === 'app') {
      await stopContainers(shell, workload, graceMs);
      await shell.terminal.write(`${name}\n`);
      continue;
    }
    if (found.kind === 'service') {
      await client.scale({ requestId: shell.newRequestId(), service: found.service.service.id, replicas: 0 });
    }
    // The tasks of a service end with its own grace period, unless they are told another.
    for (const { task } of found.kind === 'task' || graceMs !== undefined ? tasks.filter(isLive) : []) {
      await client.stopTask({ requestId: shell.newRequestId(), task: task.id, ...withGrace(graceMs) });
    }
    await say(shell, `${describeFound(found)} stopping`);
  }
}

/** Replaces every task of a service by its update rules, or one task. */
export async function restartTargets(shell: Shell, names: readonly string[], flags: StopFlags = {}): Promise<void> {
  const grace = withGrace(readGrace(flags));
  const { client, view } = await look(shell);
  for (const found of names.map(name => requireTarget(name, view, ['service', 'task']))) {
    const requestId = shell.newRequestId();
    await (found.kind === 'task' ? client.stopTask({ requestId, task: found.task.task.id, ...grace }) : client.restart({ requestId, service: found.service.service.id, ...grace }));
    await say(shell, `${describeFound(found)} restarting`);
  }
}

function readGrace({ time }: StopFlags): number | undefined {
  return time === undefined ? undefined : readCount('--time', time, 0, MAX_GRACE_SECONDS) * 1000;
}

function withGrace(graceMs: number | undefined): { readonly graceMs?: number } {
  return graceMs === undefined ? {} : { graceMs };
}

function isLive({ status }: TaskView): boolean {
  return status === undefined || !isFinished(status.phase);
}

/** Waits until the wanted tasks are healthy, what is beyond them has ended, and the nodes lead requests to them. */
async function waitForScale(shell: Shell, id: ServiceId, replicas: number): Promise<void> {
  const lines = new ProgressLines(shell);
  const end = await watchUntil(shell, {}, async view => {
    const service = view.services.find(one => one.service.id === id);
    const stopping = view.tasks.filter(one => one.task.serviceId === id && isStopping(one)).length;
    const suffix = stopping === 0 ? '' : `, ${String(stopping)} stopping`;
    await lines.draw(service === undefined ? [] : [`${service.service.app}/${service.service.name}: ${String(service.healthy)}/${String(replicas)} healthy${suffix}`]);
    return service?.wanted === replicas && service.healthy === replicas && service.running === replicas && stopping === 0 ? view : undefined;
  });
  await awaitRouted(shell, end);
}

/** A lost node cannot say that its task ended: that is not waited for. */
function isStopping({ task, status, state }: TaskView): boolean {
  return task.desired === 'stop' && state !== 'lost' && (status === undefined || !isFinished(status.phase));
}

async function look(shell: Shell): Promise<{ readonly client: ControlClient; readonly view: Awaited<ReturnType<ControlClient['view']>> }> {
  const client = await shell.connect();
  const namespace = listNamespace(shell.options);
  return { client, view: await client.view(namespace === undefined ? {} : { namespace }) };
}

function readWish(pair: string, replicas: string | undefined): { readonly target: string; readonly replicas: number } {
  const equals = pair.indexOf('=');
  const text = equals < 0 ? replicas : pair.slice(equals + 1);
  if (text === undefined) {
    throw new UsageError(`${pair}: write ${pair}=3 or give --replicas`);
  }
  if (equals >= 0 && replicas !== undefined) {
    throw new UsageError(`${pair} and --replicas ${replicas} both say how many; write one of them`);
  }
  return { target: equals < 0 ? pair : pair.slice(0, equals), replicas: readCount('replicas', text, 0, MAX_REPLICAS) };
}
