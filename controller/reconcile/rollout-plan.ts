/** Where a rollout stands: settled, on its way, waiting, failed; and the spec to go back to. */
import type { Revision, Service, ServiceStatus } from '#model/app.ts';
import { resourcesKey } from '#model/resources.ts';
import { appId } from '#model/ids.ts';
import { templateHash } from '../api/revision.ts';
import type { PlanContext } from './plan-context.ts';
import { hasFailed, isLive, isUpToDate } from './task-row.ts';
import type { ServiceState, TaskRow } from './task-row.ts';

export type Rollout = ServiceStatus['rollout'];

/** The Service as its settled Revision had it; undefined where there is none, or it differs in nothing that a task is made of. */
export function settledService(state: ServiceState, context: PlanContext): Service | undefined {
  const { service, status } = state;
  const settled = status?.settledRevision ?? 0;
  if (settled === 0 || settled === service.revision || service.spec.kind === 'job') {
    return undefined;
  }
  const revision = context.revisionOf(appId(service.namespace, service.app), settled);
  const before = revision === undefined ? undefined : serviceAt(service, revision, context.nowMs);
  const isSame = before?.templateHash === service.templateHash && resourcesKey(before.spec.container) === resourcesKey(service.spec.container);
  return isSame ? undefined : before;
}

function serviceAt(service: Service, revision: Revision, nowMs: number): Service | undefined {
  const spec = revision.services.find(one => one.name === service.name);
  if (spec === undefined) {
    return undefined;
  }
  const { pins, volumes } = revision;
  return {
    ...service, spec, pins, volumes, revision: revision.number, updatedAtMs: nowMs,
    templateHash: templateHash(spec, pins, volumes, service.restartCount),
  };
}

/** Why tasks of the Revision being rolled out fail, from the first of them that does. */
export function rolloutFailure({ service, rows }: ServiceState): string | undefined {
  const made = rows.filter(row => isUpToDate(row, service) && row.task.revision === service.revision);
  const row = made.find(isFailing);
  if (row?.status === undefined) {
    return undefined;
  }
  const { reason, message, health } = row.status;
  const why = [reason, message].filter(text => text !== '').join(': ');
  return `${row.task.name}: ${why === '' ? (health === 'unhealthy' ? 'unhealthy' : 'failed') : why}`;
}

function isFailing(row: TaskRow): boolean {
  if (hasFailed(row)) {
    return true;
  }
  return isLive(row) && (row.status?.health === 'unhealthy' || row.status?.reason === 'crash-loop');
}

export interface RolloutFacts {
  readonly isConverged: boolean;
  /** A dependency that is not met. */
  readonly waiting: string | undefined;
  /** Tasks fail, or a job used up its retries. */
  readonly failure: string | undefined;
  /** What is stuck: the first slot that fits nowhere, or is held on a lost node. */
  readonly stuck: string | undefined;
}

export interface RolloutStep {
  readonly rollout: Rollout;
  readonly settledRevision: number;
  readonly wakeAtMs?: number;
}

/** The rollout's next state. A Revision settles once all its replicas have served for the monitor time. */
export function nextRollout(state: ServiceState, facts: RolloutFacts, nowMs: number): RolloutStep {
  const { service, status } = state;
  const settledRevision = status?.settledRevision ?? 0;
  const isHealing = settledRevision === service.revision;
  if (isHealing && status?.rollout.state === 'rolled_back') {
    return { rollout: status.rollout, settledRevision };
  }
  const known = status?.rollout.revision === service.revision ? status.rollout : undefined;
  const base = { revision: service.revision, startedAtMs: known?.startedAtMs ?? nowMs };
  if (!facts.isConverged) {
    return { rollout: { ...base, ...unsettled(facts, isHealing) }, settledRevision };
  }
  return watch(state, { ...base, healthySinceMs: healthySince(known, nowMs) }, nowMs);
}

/** A wall clock that was set back cannot stretch the watch. */
function healthySince(known: Rollout | undefined, nowMs: number): number {
  return Math.min(nowMs, known?.healthySinceMs ?? nowMs);
}

function watch(state: ServiceState, base: Pick<Rollout, 'revision' | 'startedAtMs'> & { readonly healthySinceMs: number }, nowMs: number): RolloutStep {
  const settledRevision = state.status?.settledRevision ?? 0;
  const settlesAtMs = base.healthySinceMs + monitorMs(state, settledRevision);
  return nowMs < settlesAtMs
    ? { rollout: { ...base, state: 'progressing', reason: 'healthy, being watched' }, settledRevision, wakeAtMs: settlesAtMs }
    : { rollout: { ...base, state: 'settled', reason: '' }, settledRevision: state.service.revision };
}

function unsettled(facts: RolloutFacts, isHealing: boolean): Pick<Rollout, 'state' | 'reason'> {
  if (facts.failure !== undefined && !isHealing) {
    return { state: 'failed', reason: facts.failure };
  }
  if (facts.waiting !== undefined) {
    return { state: 'waiting', reason: facts.waiting };
  }
  return { state: 'progressing', reason: facts.stuck ?? facts.failure ?? '' };
}

/** Watching makes sense only where there is something to go back to and a task was made for the Revision. */
function monitorMs({ service, rows }: ServiceState, settledRevision: number): number {
  const isNew = rows.some(row => isLive(row) && row.task.revision === service.revision);
  return settledRevision === 0 || settledRevision === service.revision || !isNew ? 0 : service.spec.update.monitorMs;
}
