/** `rollout status|history|undo|pause|resume|promote|abort`. */
import type { Revision } from '#model/app.ts';
import type { ClusterPlan } from '#model/cluster-plan.ts';
import { ClusterError } from '#model/errors.ts';
import type { ServiceId } from '#model/ids.ts';
import { printable } from '#model/printable.ts';
import type { ClusterView, RolloutAction, ServiceView } from '#model/ports.ts';
import { EXIT, ProcessExit } from '../exit-code.ts';
import { formatChanges, formatPlan, hasChanges, planItem } from '../format/plan.ts';
import { formatRevision, historyItem, historyTable, revisionItem, rolloutItem, rolloutLine, rolloutsOf } from '../format/rollout.ts';
import { listNamespace, readCount } from '../options.ts';
import type { Shell } from '../ports.ts';
import { isBackAtAsked } from '../rollout-progress.ts';
import { describeFound, requireTarget } from '../target.ts';
import type { Found } from '../target.ts';
import { waitForApps } from './apply-flow.ts';
import { printListing, printPlain, say } from './print-flow.ts';
import { ProgressLines } from './progress-flow.ts';
import { watchUntil } from './watch-flow.ts';

const MAX_REVISION = Number.MAX_SAFE_INTEGER;
/** Revisions that an error names. */
const MAX_NAMED = 20;

export interface StatusFlags {
  readonly watch: boolean;
}

/** @throws ProcessExit 1 where a rollout failed, or was rolled back since the first view of it */
export async function showRollout(shell: Shell, name: string, { watch }: StatusFlags): Promise<void> {
  const { output } = shell.options;
  const isPlain = output === 'json' || output === 'yaml';
  const lines = new ProgressLines(shell);
  const isOnce = !watch || isPlain;
  const asked = new Map<ServiceId, number>();
  const services = await watchUntil(shell, scopeOf(shell), async view => {
    const current = servicesOf(requireTarget(name, view, ['app', 'service']), view);
    current.forEach(({ service }) => asked.set(service.id, asked.get(service.id) ?? service.revision));
    const isEnd = isOnce || current.every(one => isOver(one, asked.get(one.service.id)));
    await (isEnd ? lines.wipe() : lines.draw(current.map(rolloutLine)));
    return isEnd ? current : undefined;
  });
  if (isPlain) {
    const items = services.map(rolloutItem);
    await printPlain(shell, services.length === 1 ? items[0] : { items });
  } else {
    await shell.terminal.write(services.map(service => `${rolloutLine(service)}\n`).join(''));
  }
  if (services.some(one => isFailed(one, asked.get(one.service.id)))) {
    throw new ProcessExit(EXIT.failed);
  }
}

function isFailed(view: ServiceView, asked: number | undefined): boolean {
  const state = view.status?.rollout.state;
  return state === 'failed' || (state === 'rolled_back' && !isBackInForce(view, asked));
}

/** The rollback was complete when the caller asked: the revision in force is healthy. */
function isBackInForce(view: ServiceView, asked: number | undefined): boolean {
  return isBackAtAsked(view, asked) && view.healthy >= view.wanted;
}

/** No further change follows automatically. */
function isOver(view: ServiceView, asked: number | undefined): boolean {
  const { service, status } = view;
  const state = status?.rollout.state;
  if (isBackAtAsked(view, asked)) {
    return view.healthy >= view.wanted;
  }
  return status !== undefined && status.rollout.revision >= service.revision && state !== 'progressing' && state !== 'waiting';
}

function scopeOf(shell: Shell): { readonly namespace?: string } {
  const namespace = listNamespace(shell.options);
  return namespace === undefined ? {} : { namespace };
}

/** Runs of crons have no rollout of their own. */
function servicesOf(found: Extract<Found, { readonly kind: 'app' | 'service' }>, view: ClusterView): readonly ServiceView[] {
  return found.kind === 'service' ? [found.service] : rolloutsOf(view, found.app);
}

export interface HistoryFlags {
  readonly revision?: string;
}

/** @throws ClusterError NOT_FOUND for a revision that is not there, with those that are */
export async function showHistory(shell: Shell, name: string, flags: HistoryFlags = {}): Promise<void> {
  const number = flags.revision === undefined ? undefined : readCount('--revision', flags.revision, 1, MAX_REVISION);
  const client = await shell.connect();
  const view = await client.view(scopeOf(shell));
  const found = requireTarget(name, view, ['app', 'service']);
  const { namespace, app, service } = namesOf(found);
  const revisions = await client.revisions({ namespace, app });
  const services = servicesOf(found, view);
  if (number !== undefined) {
    await showRevision(shell, requireRevision(number, describeFound(found), revisions), { service, services });
    return;
  }
  const told = service === undefined ? revisions : changesOf(revisions, service, services);
  const items = told.toSorted((left, right) => right.number - left.number).map(revision => historyItem(revision, { service, services }));
  await printListing(shell, { items, table: historyTable(items, shell.clock.nowMs()), names: items.map(item => `revision/${String(item.revision)}`), isSingle: false });
}

async function showRevision(shell: Shell, revision: Revision, about: Parameters<typeof revisionItem>[1]): Promise<void> {
  const item = revisionItem(revision, about);
  const isPlain = shell.options.output === 'json' || shell.options.output === 'yaml';
  await (isPlain ? printPlain(shell, item) : shell.terminal.write(formatRevision(item)));
}

function requireRevision(number: number, name: string, revisions: readonly Revision[]): Revision {
  const revision = revisions.find(one => one.number === number);
  if (revision === undefined) {
    const known = revisions.map(one => one.number).toSorted((left, right) => left - right);
    throw new ClusterError('NOT_FOUND', `${name} has no revision ${String(number)}; it has ${known.slice(-MAX_NAMED).join(', ')}`);
  }
  return revision;
}

function namesOf(found: Extract<Found, { readonly kind: 'app' | 'service' }>): { readonly namespace: string; readonly app: string; readonly service?: string } {
  if (found.kind === 'app') {
    return { namespace: found.app.namespace, app: found.app.name };
  }
  const { namespace, app, name } = found.service.service;
  return { namespace, app, service: name };
}

/** Those in which the service, or what it mounts, is not as in the one before; and the one in force. */
function changesOf(revisions: readonly Revision[], service: string, services: readonly ServiceView[]): readonly Revision[] {
  const inOrder = revisions.toSorted((left, right) => left.number - right.number).filter(one => one.services.some(spec => spec.name === service));
  const items = inOrder.map(revision => historyItem(revision, { service, services }));
  const keys = inOrder.map((revision, index) => JSON.stringify([revision.services.find(spec => spec.name === service), items[index]?.services]));
  return inOrder.filter((_, index) => index === 0 || keys[index] !== keys[index - 1] || items[index]?.inForce.includes(service));
}

export interface UndoFlags {
  readonly toRevision?: string;
  readonly wait?: boolean;
  readonly detach?: boolean;
  readonly dryRun?: boolean;
}

export async function undoRollout(shell: Shell, name: string, flags: UndoFlags): Promise<void> {
  const toRevision = flags.toRevision === undefined ? undefined : readCount('--to-revision', flags.toRevision, 1, MAX_REVISION);
  const client = await shell.connect();
  const found = requireTarget(name, await client.view(scopeOf(shell)), ['app', 'service']);
  const target = { ...namesOf(found), ...(toRevision === undefined ? {} : { toRevision }) };
  if (flags.dryRun === true) {
    await showUndo(shell, describeFound(found), await client.plan({ apps: [], withoutNodes: [], addedNodes: [], isSaved: false, undo: target }));
    return;
  }
  const outcome = await client.undo({ requestId: shell.newRequestId(), ...target });
  await say(shell, outcome.isChanged ? `${describeFound(found)} goes back, as revision ${String(outcome.revision)}` : `${describeFound(found)} is so already`);
  const isWaited = flags.wait === true || (shell.terminal.isOutputTerminal && flags.detach !== true);
  if (isWaited && outcome.isChanged) {
    await waitForApps(shell, [outcome]);
  }
}

/** What would change, as `diff` and `plan` show it. @throws ClusterError FAILED_PRECONDITION where the controller planned none */
async function showUndo(shell: Shell, name: string, plan: ClusterPlan): Promise<void> {
  const { undoneRevision } = plan;
  if (undoneRevision === undefined) {
    throw new ClusterError('FAILED_PRECONDITION', 'this controller cannot try an undo, it is older than this clusterctl; see rollout history for what the revisions hold');
  }
  if (shell.options.output === 'json' || shell.options.output === 'yaml') {
    await printPlain(shell, { ...planItem(plan), undoneRevision });
    return;
  }
  const head = hasChanges(plan) ? `${name} would go back to revision ${String(undoneRevision)}` : `${name} is as in revision ${String(undoneRevision)} already`;
  await shell.terminal.write(`${printable(head)}\n${formatChanges(plan)}\n${formatPlan(plan)}`);
}

const DONE: Readonly<Record<RolloutAction, string>> = {
  'pause': 'paused', 'resume': 'resumed', 'promote': 'promoted', 'promote-all': 'promoted to the end', 'abort': 'goes back',
};

/** Of every service of an App that the action makes sense for; of a service that is named it must. */
export async function changeRollouts(shell: Shell, names: readonly string[], action: RolloutAction): Promise<void> {
  const client = await shell.connect();
  const view = await client.view(scopeOf(shell));
  for (const found of names.map(name => requireTarget(name, view, ['app', 'service']))) {
    const services = servicesOf(found, view).filter(one => found.kind === 'service' || IS_MEANT[action](one));
    if (services.length === 0) {
      throw new ClusterError('FAILED_PRECONDITION', `${describeFound(found)} has no service that could be ${DONE[action]}`);
    }
    for (const { service } of services) {
      await client.changeRollout({ requestId: shell.newRequestId(), service: service.id, action });
      await say(shell, `service/${service.app}/${service.name} ${DONE[action]}`);
    }
  }
}

const IS_MEANT: Readonly<Record<RolloutAction, (view: ServiceView) => boolean>> = {
  'pause': ({ service: { spec } }) => spec.kind !== 'job' && spec.kind !== 'cron',
  'resume': ({ service }) => service.rollout?.isPaused === true,
  'promote': ({ status }) => status?.rollout.state === 'awaiting_promotion',
  'promote-all': view => ['canary', 'blue_green'].includes(view.service.spec.update.strategy) && isUnderWay(view),
  'abort': view => isUnderWay(view) && view.status?.settledRevision !== 0,
};

function isUnderWay({ service, status }: ServiceView): boolean {
  return status !== undefined && status.settledRevision !== service.revision;
}
