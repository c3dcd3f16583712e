/** `delete TARGET...` and `delete -f F...`; waits until nothing is left, unless told not to. */
import { ClusterError } from '#model/errors.ts';
import type { ClusterView } from '#model/ports.ts';
import { quoted } from '#model/printable.ts';
import { isFinished } from '#model/task.ts';
import { nameOf } from '../format/volumes.ts';
import { listNamespace, UsageError } from '../options.ts';
import type { ControlClient } from '#model/ports.ts';
import type { Shell } from '../ports.ts';
import { describeFound, isUnviewed, parseTarget, requireTarget } from '../target.ts';
import type { Found } from '../target.ts';
import { loadAppNames } from './apply-flow.ts';
import { say } from './print-flow.ts';
import { deleteSecret } from './secret-flow.ts';
import { placesText, removedText, removeVolumes, untilRemoved, volumesOfApp } from './volume-flow.ts';
import { watchUntil } from './watch-flow.ts';

export interface DeleteFlags {
  readonly filename?: readonly string[];
  readonly detach?: boolean;
  /** `--wait`, as kubectl has it: true unless --detach; `--wait=false` is --detach. */
  readonly wait?: string | boolean;
  readonly var?: readonly string[];
  readonly envFile?: readonly string[];
  /** The data of the Apps' volumes, too. */
  readonly volumes?: boolean;
}

export async function deleteObjects(shell: Shell, given: readonly string[], flags: DeleteFlags): Promise<void> {
  const { names, isDetached } = readWait(given, flags);
  if (names.length === 0 && flags.filename === undefined) {
    throw new UsageError('delete needs what to delete: targets, or -f with a manifest');
  }
  refuseConfigs(names);
  const secrets = names.map(parseTarget).filter(({ type }) => type === 'secret');
  for (const { name } of secrets) {
    await deleteSecret(shell, name);
  }
  const volumes = names.map(parseTarget).filter(({ type }) => type === 'volume');
  await removeVolumes(shell, volumes.map(({ name }) => name), { detach: isDetached });
  const others = names.filter(name => !isUnviewed(parseTarget(name).type));
  const fromFiles = flags.filename === undefined ? [] : await loadAppNames(shell, { ...flags, filename: flags.filename });
  if (others.length + fromFiles.length === 0) {
    return;
  }
  const client = await shell.connect();
  const namespace = listNamespace(shell.options);
  const view = await client.view(namespace === undefined ? {} : { namespace });
  const everywhere = fromFiles.length === 0 ? view : await client.view({});
  const found: readonly Found[] = [
    ...others.map(name => requireTarget(name, view, ['app', 'service', 'task', 'node'])),
    ...fromFiles.map(app => requireTarget(`app/${app.namespace}/${app.name}`, everywhere, ['app'])),
  ];
  requireApps(found, flags);
  for (const one of found) {
    await deleteOne(shell, client, one, flags.volumes === true);
  }
  for (const one of isDetached ? [] : found) {
    await watchUntil(shell, {}, latest => (isGone(one, latest) ? true : undefined));
  }
  for (const one of found) {
    await say(shell, `${describeFound(one)} deleted`);
    await sayVolumes(shell, client, one, { volumes: flags.volumes === true, isDetached });
  }
}

/** A word behind `--wait` is its value only if it is true or false; otherwise it is a target. */
function readWait(given: readonly string[], { wait = true, detach = false }: DeleteFlags): { readonly names: readonly string[]; readonly isDetached: boolean } {
  const isTarget = typeof wait === 'string' && wait !== 'true' && wait !== 'false';
  return { names: isTarget ? [wait, ...given] : given, isDetached: detach || wait === 'false' };
}

/** @throws UsageError */
function requireApps(found: readonly Found[], flags: DeleteFlags): void {
  const other = flags.volumes === true ? found.find(one => one.kind !== 'app') : undefined;
  if (other !== undefined) {
    throw new UsageError(`--volumes is for whole Apps; ${describeFound(other)} is none; the data of one volume goes with: clusterctl volume rm NAME`);
  }
}

/** What became of an App's data. */
async function sayVolumes(shell: Shell, client: ControlClient, found: Found, flags: { readonly volumes: boolean; readonly isDetached: boolean }): Promise<void> {
  if (found.kind !== 'app' || (flags.volumes && flags.isDetached)) {
    return;
  }
  const { app } = found;
  const kept = await volumesOfApp(client, app);
  if (kept.length > 0) {
    const names = [...new Set(kept.map(nameOf))].join(' ');
    const why = flags.volumes ? 'services of other Apps use them' : `remove them with: clusterctl volume rm ${names} -n ${app.namespace}`;
    await say(shell, `its volumes stay: ${placesText(kept)}; ${why}`);
  }
  if (flags.volumes) {
    const left = await untilRemoved(shell, client, ({ volume }) => volume.namespace === app.namespace && volume.app === app.name);
    for (const view of left) await say(shell, removedText(nameOf(view), [view]));
  }
}

function refuseConfigs(names: readonly string[]): void {
  const config = names.find(name => parseTarget(name).type === 'config');
  if (config !== undefined) {
    throw new ClusterError('INVALID_ARGUMENT', `${quoted(config)}: a config belongs to its App's manifest; take it out there and apply, or delete the App`);
  }
}

async function deleteOne(shell: Shell, client: ControlClient, found: Found, withVolumes: boolean): Promise<void> {
  const requestId = shell.newRequestId();
  switch (found.kind) {
    case 'app':
      await client.deleteApp({ requestId, namespace: found.app.namespace, app: found.app.name, withVolumes });
      return;
    case 'service':
      await client.deleteService({ requestId, service: found.service.service.id });
      return;
    case 'task':
      await client.stopTask({ requestId, task: found.task.task.id });
      return;
    case 'node':
      await client.removeNode({ requestId, node: found.node.node.id });
  }
}

/** True when neither the object nor a task of it is left; the record of a task that has ended stays for a while. */
function isGone(found: Found, view: ClusterView): boolean {
  switch (found.kind) {
    case 'app': {
      const { id, namespace, name } = found.app;
      return !view.apps.some(app => app.id === id) && !view.tasks.some(({ task }) => task.namespace === namespace && task.app === name);
    }
    case 'service': {
      const { id } = found.service.service;
      return !view.services.some(({ service }) => service.id === id) && !view.tasks.some(({ task }) => task.serviceId === id);
    }
    case 'task':
      return !view.tasks.some(({ task, status }) => task.id === found.task.task.id && !isFinished(status?.phase ?? 'pending'));
    case 'node':
      return !view.nodes.some(({ node }) => node.id === found.node.node.id);
  }
}
