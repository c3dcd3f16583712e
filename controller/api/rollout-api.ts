/** What an operator does to a rollout: pause, resume, promote, abort; and the way back to an earlier Revision. */
import type { Revision, RolloutWish, Service, ServiceStatus } from '#model/app.ts';
import { ClusterError } from '#model/errors.ts';
import { appId } from '#model/ids.ts';
import type { AppId } from '#model/ids.ts';
import type { ControlHandlers, RolloutAction, UndoTarget } from '#model/ports.ts';
import { buildKey, revisionPrefix } from '../store/keys.ts';
import type { RecordKey } from '../store/keys.ts';
import { decodeRevision, encodeService } from '../store/records.ts';
import { requireRole } from './access.ts';
import { draftWith, draftWrite } from './apply-api.ts';
import type { ApplyParts, RevisionRequest } from './apply-api.ts';
import { undoneApp, undoneService } from './undo.ts';
import type { CurrentService } from './undo.ts';
import { requireOutcome, writeOnce } from './write-once-flow.ts';
import type { WriteDraft } from './write-once-flow.ts';

export function createRolloutApi(parts: ApplyParts): Pick<ControlHandlers, 'changeRollout' | 'undo'> {
  return {
    async changeRollout(request, peer) {
      requireRole(peer, 'operator');
      await writeOnce({ rpc: 'changeRollout', request }, parts, () => draftChange(request, parts), parts.signal);
    },
    async undo(request, peer) {
      requireRole(peer, 'operator');
      const outcome = await writeOnce({ rpc: 'undo', request }, parts, async () => {
        const { wish } = await chooseRevision(request, parts);
        return await draftWrite(wish, new Map(), parts);
      }, parts.signal);
      return requireOutcome(outcome, 'applied', request).outcome;
    },
  };
}

function draftChange({ service: id, action }: Parameters<ControlHandlers['changeRollout']>[0], { state, clock }: ApplyParts): WriteDraft {
  const record = state.current.services.get(id);
  if (record === undefined || record.value.isDeleting) {
    throw new ClusterError('NOT_FOUND', `service ${id} does not exist`);
  }
  const rollout = nextWish(record.value, state.current.serviceStatuses.get(id)?.value, action);
  const key = buildKey({ kind: 'service', id });
  return {
    compares: [{ kind: 'mod-revision', key, revision: record.modRevision }],
    operations: [{ kind: 'put', key, value: encodeService({ ...record.value, rollout, updatedAtMs: clock.nowMs() }) }],
    outcome: { kind: 'done' },
  };
}

const NO_WISH: RolloutWish = { isPaused: false, promotedSteps: 0, isAborted: false };

/** @throws ClusterError FAILED_PRECONDITION where the rollout is not where the action makes sense */
export function nextWish(service: Service, status: ServiceStatus | undefined, action: RolloutAction): RolloutWish {
  const wish = service.rollout ?? NO_WISH;
  switch (action) {
    case 'pause':
      requireReplaceable(service);
      return { ...wish, isPaused: true };
    case 'resume':
      requireThat(wish.isPaused, `service ${service.id} is not paused`);
      return { ...wish, isPaused: false };
    case 'promote':
    case 'promote-all':
      return { ...wish, promotedSteps: promotedSteps(service, status, action) };
    case 'abort':
      requireReplaceable(service);
      requireThat(isUnderWay(service, status) && status?.settledRevision !== 0,
        `service ${service.id} has nothing to go back from: its rollout is ${describe(service, status)}`);
      return { ...wish, isAborted: true };
  }
}

function promotedSteps(service: Service, status: ServiceStatus | undefined, action: 'promote' | 'promote-all'): number {
  if (action === 'promote') {
    requireThat(status?.rollout.state === 'awaiting_promotion' && status.rollout.revision === service.revision,
      `service ${service.id} waits for no promotion: its rollout is ${describe(service, status)}`);
    return (status?.rollout.step ?? 0) + 1;
  }
  const steps = stepsOf(service);
  requireThat(steps > 0 && isUnderWay(service, status), `service ${service.id} has nothing to promote: its rollout is ${describe(service, status)}`);
  return steps;
}

function requireThat(isSo: boolean, message: string): void {
  if (!isSo) {
    throw new ClusterError('FAILED_PRECONDITION', message);
  }
}

function requireReplaceable({ id, spec }: Service): void {
  requireThat(spec.kind !== 'job' && spec.kind !== 'cron', `service ${id} is of kind ${spec.kind}, which has no rollout`);
}

function stepsOf({ spec: { update } }: Service): number {
  return update.strategy === 'canary' ? update.stepPercents?.length ?? 0 : update.strategy === 'blue_green' ? 1 : 0;
}

/** The Revision has not settled. */
function isUnderWay(service: Service, status: ServiceStatus | undefined): boolean {
  return status !== undefined && status.settledRevision !== service.revision;
}

function describe(service: Service, status: ServiceStatus | undefined): string {
  return status === undefined || status.rollout.revision < service.revision ? 'only beginning' : status.rollout.state;
}

export interface ChosenRevision {
  /** Of the Revision that is wanted again. */
  readonly number: number;
  /** What the next one is made of. */
  readonly wish: RevisionRequest;
}

/** @throws ClusterError NOT_FOUND, FAILED_PRECONDITION */
export async function chooseRevision(request: UndoTarget, parts: ApplyParts): Promise<ChosenRevision> {
  const id = appId(request.namespace, request.app);
  const app = parts.state.current.apps.get(id)?.value;
  if (app === undefined || app.isDeleting) {
    throw new ClusterError('NOT_FOUND', `App ${id} does not exist`);
  }
  const current = declaredServices(id, parts);
  if (request.service !== undefined && !current.has(request.service)) {
    throw new ClusterError('NOT_FOUND', `service ${id}/${request.service} does not exist`);
  }
  const revisions = (await parts.store.list(revisionPrefix(id), parts.signal)).entries.map(entry => decodeRevision(entry.value)).filter(one => one.number <= app.revision);
  const requestOf = (revision: Revision): RevisionRequest => ({
    ...(request.service === undefined ? undoneApp(revision, current) : undoneService(revision, request.service, current)),
    cause: `undo to revision ${String(revision.number)}${request.service === undefined ? '' : ` of ${request.service}`}`,
    ...(app.expireAfterEndMs === undefined ? {} : { expireAfterEndMs: app.expireAfterEndMs }),
  });
  const chosen = request.toRevision === undefined ? newestOther(request, revisions, one => draftWith(requestOf(one), new Map(), parts).isChanged) : requireNumber(id, request.toRevision, revisions);
  const undone = requestOf(chosen);
  await requireContents(undone, chosen.number, parts);
  return { number: chosen.number, wish: undone };
}

/** Runs of crons come and go by themselves. */
export function declaredServices(id: AppId, { state }: Pick<ApplyParts, 'state'>): ReadonlyMap<string, CurrentService> {
  const services = [...state.current.services.values()].map(record => record.value);
  return new Map(services.filter(one => appId(one.namespace, one.app) === id && !one.isDeleting && one.cronRun === undefined)
    .map(service => [service.name, { service, status: state.current.serviceStatuses.get(service.id)?.value }]));
}

function newestOther({ namespace, app, service }: UndoTarget, revisions: readonly Revision[], isOther: (revision: Revision) => boolean): Revision {
  const candidates = revisions.toSorted((left, right) => right.number - left.number).filter(one => service === undefined || one.services.some(spec => spec.name === service));
  const chosen = candidates.find(isOther);
  if (chosen === undefined) {
    throw new ClusterError('FAILED_PRECONDITION', `no revision of App ${namespace}/${app} differs from what is wanted now`);
  }
  return chosen;
}

function requireNumber(id: AppId, number: number, revisions: readonly Revision[]): Revision {
  const revision = revisions.find(one => one.number === number);
  if (revision === undefined) {
    const known = revisions.map(one => one.number).sort((left, right) => left - right);
    throw new ClusterError('NOT_FOUND', `App ${id} has no revision ${String(number)}; it has ${known.slice(-20).join(', ')}`);
  }
  return revision;
}

/** @throws ClusterError FAILED_PRECONDITION where a content that the Revision pins was deleted */
async function requireContents({ app, pins }: RevisionRequest, number: number, { store, signal }: ApplyParts): Promise<void> {
  const { namespace } = app;
  const contents: readonly { readonly name: string; readonly key: RecordKey }[] = [
    ...(pins?.configs ?? []).map(pin => ({ name: `config ${pin.name}`, key: { kind: 'blob', namespace, sha256: pin.sha256 } as const })),
    ...(pins?.secrets ?? []).map(pin => ({ name: `version ${String(pin.version)} of secret ${pin.name}`, key: { kind: 'secret', namespace, name: pin.name, version: pin.version } as const })),
  ];
  for (const { name, key } of contents) {
    if (await store.get(buildKey(key), signal) === undefined) {
      throw new ClusterError('FAILED_PRECONDITION', `revision ${String(number)} needs ${name}, which was deleted`);
    }
  }
}
