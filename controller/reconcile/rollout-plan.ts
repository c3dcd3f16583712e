/** Where a rollout stands: settled, on its way, waiting, failed; and the spec to go back to. */
import type { Revision, Service, ServiceStatus } from '#model/app.ts';
import { resourcesKey } from '#model/resources.ts';
import { appId } from '#model/ids.ts';
import type { ServiceSpec } from '#model/service.ts';
import { templateHash } from '../api/revision.ts';
import { scaleSince, withReplicas } from '../autoscale/replica-scale.ts';
import type { PlanContext } from './plan-context.ts';
import { hasFailed, isLive, isUpToDate } from './task-row.ts';
import type { ServiceState, TaskRow } from './task-row.ts';

export type Rollout = ServiceStatus['rollout'];

/** The Service as its settled Revision had it, also where that differs in replicas or rules alone; undefined where there is none. */
export function serviceBefore({ service, status }: ServiceState, context: PlanContext): Service | undefined {
  const settled = status?.settledRevision ?? 0;
  if (settled === 0 || settled === service.revision || service.spec.kind === 'job') {
    return undefined;
  }
  const revision = context.revisionOf(appId(service.namespace, service.app), settled);
  return revision === undefined ? undefined : serviceAt(service, revision, context.nowMs);
}

/** As `serviceBefore`; undefined also where it differs in nothing that a task is made of. */
export function settledService(state: ServiceState, context: PlanContext): Service | undefined {
  const { service } = state;
  const before = serviceBefore(state, context);
  const isSame = before?.templateHash === service.templateHash && resourcesKey(before.spec.container) === resourcesKey(service.spec.container);
  return isSame ? undefined : before;
}

function serviceAt(service: Service, revision: Revision, nowMs: number): Service | undefined {
  const spec = revision.services.find(one => one.name === service.name);
  if (spec === undefined) {
    return undefined;
  }
  // What autoscaling set is in the status.
  const isScaledByHand = spec.kind === service.spec.kind && spec.autoscale === undefined;
  const { pins, volumes } = revision;
  const { rollout: _, ...rest } = service;
  return {
    ...rest, spec: isScaledByHand ? withReplicas(spec, scaleSince(service, revision.number)) : spec, pins, volumes, revision: revision.number, updatedAtMs: nowMs,
    templateHash: hashOf(revision, spec, service.restartCount),
  };
}

/** By restart count and name of the service. A Revision is immutable, and asked for at each look while a rollout goes on. */
const HASHES = new WeakMap<Revision, Map<string, string>>();

function hashOf(revision: Revision, spec: ServiceSpec, restartCount: number): string {
  const known = HASHES.get(revision) ?? new Map<string, string>();
  HASHES.set(revision, known);
  const key = `${String(restartCount)} ${spec.name}`;
  const hash = known.get(key) ?? templateHash(spec, revision.pins, revision.volumes, restartCount);
  known.set(key, hash);
  return hash;
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
  /** An operator paused it, and there is something to replace. */
  readonly isPaused?: boolean;
  /** What stands between now and the rest of the rollout: a canary's step, the switch to green. */
  readonly stage?: StageFacts | undefined;
  /** `blue_green`: whose requests they are. */
  readonly activeTemplate?: string | undefined;
}

/** A stage of a canary or of blue_green: reached, watched, promoted, left behind. */
export interface StageFacts {
  readonly label: string;
  /** All that it asks for serves. */
  readonly isReached: boolean;
  /** Nobody has to promote it, or somebody has. */
  readonly isPromoted: boolean;
  readonly watchMs: number;
  /** What is so once it is left behind. */
  readonly next: Pick<Rollout, 'step' | 'activeTemplate'>;
}

export interface RolloutStep {
  readonly rollout: Rollout;
  readonly settledRevision: number;
  readonly wakeAtMs?: number;
}

/** What is known of the rollout of this Revision: nothing of an earlier one counts. */
export function currentRollout({ service, status }: ServiceState): Rollout | undefined {
  return status?.rollout.revision === service.revision ? status.rollout : undefined;
}

type RolloutContext = Pick<PlanContext, 'nowMs' | 'times'>;

/** The rollout's next state. A Revision settles once all its replicas have served for the monitor time. */
export function nextRollout(state: ServiceState, facts: RolloutFacts, context: RolloutContext): RolloutStep {
  const { nowMs } = context;
  const { service, status } = state;
  const settledRevision = status?.settledRevision ?? 0;
  const isHealing = settledRevision === service.revision;
  if (isHealing && status?.rollout.state === 'rolled_back' && facts.stage === undefined) {
    return { rollout: status.rollout, settledRevision };
  }
  const known = currentRollout(state);
  const base = rolloutBase(service, known, facts, nowMs);
  const reached = reachedStage(facts);
  if (reached !== undefined) {
    return { ...leaveStage(service, reached, { ...base, healthySinceMs: healthySince(known, nowMs) }, nowMs), settledRevision };
  }
  if (!facts.isConverged || facts.stage !== undefined) {
    return { rollout: { ...base, ...unsettled(facts, isHealing) }, settledRevision };
  }
  return watch(state, { ...base, healthySinceMs: healthySince(known, nowMs) }, context);
}

type RolloutBase = Pick<Rollout, 'revision' | 'startedAtMs' | 'step' | 'activeTemplate'>;

function rolloutBase({ revision }: Service, known: Rollout | undefined, { activeTemplate }: RolloutFacts, nowMs: number): RolloutBase {
  return {
    revision, startedAtMs: known?.startedAtMs ?? nowMs,
    ...(known?.step === undefined ? {} : { step: known.step }), ...(activeTemplate === undefined ? {} : { activeTemplate }),
  };
}

function reachedStage({ stage, isPaused, failure }: RolloutFacts): StageFacts | undefined {
  return stage?.isReached === true && isPaused !== true && failure === undefined ? stage : undefined;
}

function leaveStage(service: Service, stage: StageFacts, base: RolloutBase & { readonly healthySinceMs: number }, nowMs: number): Omit<RolloutStep, 'settledRevision'> {
  const leavesAtMs = base.healthySinceMs + stage.watchMs;
  if (nowMs < leavesAtMs) {
    return { rollout: { ...base, state: 'progressing', reason: `${stage.label} is healthy, being watched` }, wakeAtMs: leavesAtMs };
  }
  if (!stage.isPromoted) {
    return { rollout: { ...base, state: 'awaiting_promotion', reason: `${stage.label} is healthy; go on with: clusterctl rollout promote ${service.app}/${service.name}` } };
  }
  const { healthySinceMs: _, ...rest } = base;
  return { rollout: { ...rest, ...stage.next, state: 'progressing', reason: '' } };
}

/** A wall clock that was set back cannot stretch the watch. */
function healthySince(known: Rollout | undefined, nowMs: number): number {
  return Math.min(nowMs, known?.healthySinceMs ?? nowMs);
}

function watch(state: ServiceState, base: RolloutBase & { readonly healthySinceMs: number }, { nowMs, times }: RolloutContext): RolloutStep {
  const settledRevision = state.status?.settledRevision ?? 0;
  const settlesAtMs = base.healthySinceMs + monitorMs(state, settledRevision, times);
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
  return facts.isPaused === true
    ? { state: 'paused', reason: joined(['paused by an operator', facts.stage?.label], ' at ') }
    : { state: 'progressing', reason: joined([facts.stage?.label, facts.stuck ?? facts.failure], ': ') };
}

function joined(texts: readonly (string | undefined)[], separator: string): string {
  return texts.filter(text => text !== undefined && text !== '').join(separator);
}

/**
 * How long the tasks made for the Revision must serve. With no Revision to return to, a task that had to be
 * restarted is watched for the whole time: a container that exits after a moment runs for that moment each time.
 */
function monitorMs(state: ServiceState, settledRevision: number, { firstWatchMs }: PlanContext['times']): number {
  const { service, rows } = state;
  const { kind, update, container: { healthcheck } } = service.spec;
  const made = rows.filter(row => isLive(row) && row.task.revision === service.revision);
  if (settledRevision !== 0) {
    return settledRevision !== service.revision && made.length > 0 ? update.monitorMs : 0;
  }
  if (kind === 'job') {
    return 0;
  }
  if (hasFailedBefore(state, made)) {
    return update.monitorMs;
  }
  return made.length === 0 || healthcheck !== undefined ? 0 : Math.min(update.monitorMs, firstWatchMs);
}

function hasFailedBefore({ status }: ServiceState, made: readonly TaskRow[]): boolean {
  return (status?.crashLoops.length ?? 0) > 0 || made.some(row => (row.status?.restarts ?? 0) > 0);
}
