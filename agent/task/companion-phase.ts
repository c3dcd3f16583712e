/** What the companions of a task need next: init containers in order, then sidecars, and the other way round at the end. */
import type { CompanionSpec } from '#model/service.ts';
import type { ContainerEnd } from '../runtime/ports.ts';
import type { CompanionRecord, TaskRecord } from './record.ts';

/** What is seen of the companions besides the record. */
export interface CompanionsObserved {
  readonly record: TaskRecord;
  /** Ends of running companions, by place. */
  readonly companionEnds: ReadonlyMap<number, ContainerEnd>;
  readonly mayStart: boolean;
  /** Set once the first sidecar was told to stop, `sinceMs` ago; `signalled`: places of those that were. */
  readonly companionsStopping?: { readonly sinceMs: number; readonly signalled: ReadonlySet<number> };
}

export type CompanionAction =
  | { readonly kind: 'start-companion'; readonly index: number; readonly reason: string }
  /** Records its end and what follows. */
  | { readonly kind: 'settle-companion'; readonly index: number; readonly end: ContainerEnd; readonly reason: string }
  /** Takes away what is left of its run. */
  | { readonly kind: 'clear-companion'; readonly index: number; readonly reason: string }
  | { readonly kind: 'signal-companion'; readonly index: number; readonly reason: string };

export type CompanionStep =
  | CompanionAction
  | { readonly kind: 'wait'; readonly untilMs?: number; readonly reason: string }
  /** All is as the next part of the task's life needs it. */
  | { readonly kind: 'ready' }
  /** An init container ended with another code than 0: the attempt has failed. */
  | { readonly kind: 'init-failed'; readonly index: number };

/** Before the main container: each init container to its exit 0, then each sidecar to its start, one after the other. */
export function bringUp(observed: CompanionsObserved, nowMs: number): CompanionStep {
  for (const [index, companion] of (observed.record.companions ?? []).entries()) {
    const step = upkeep(observed, index, nowMs) ?? progress(observed.record, companion, index);
    if (step !== undefined) {
      return step;
    }
  }
  return { kind: 'ready' };
}

/** Beside the running main container: a sidecar that ended is cleared away and started again when its policy says so. */
export function keepUp(observed: CompanionsObserved, nowMs: number): CompanionStep {
  const waits: number[] = [];
  for (const index of (observed.record.companions ?? []).keys()) {
    const step = upkeep(observed, index, nowMs);
    if (step?.kind === 'wait') {
      waits.push(...(step.untilMs === undefined ? [] : [step.untilMs]));
    } else if (step !== undefined) {
      return step;
    }
  }
  return { kind: 'wait', ...(waits.length === 0 ? {} : { untilMs: Math.min(...waits) }), reason: 'running' };
}

/** After the main container: each running companion is told to stop, the last one first; the grace period is one for all of them. */
export function takeDown({ record, companionEnds, companionsStopping }: CompanionsObserved, nowMs: number): CompanionStep {
  for (const [index, end] of companionEnds) {
    return { kind: 'settle-companion', index, end, reason: 'it ended' };
  }
  const last = (record.companions ?? []).findLastIndex(companion => companion.step === 'running');
  const leftMs = record.task.container.stopGracePeriodMs - (companionsStopping?.sinceMs ?? 0);
  if (last < 0 || leftMs <= 0) {
    return { kind: 'ready' };
  }
  return companionsStopping?.signalled.has(last) === true
    ? { kind: 'wait', untilMs: nowMs + leftMs, reason: 'a sidecar is in its grace period' }
    : { kind: 'signal-companion', index: last, reason: 'the main container ended' };
}

/** What an end, a half-built run or a due restart of one companion needs; undefined when it is well or done. */
function upkeep(observed: CompanionsObserved, index: number, nowMs: number): Exclude<CompanionStep, { readonly kind: 'ready' | 'init-failed' }> | undefined {
  const companion = observed.record.companions?.[index];
  const end = observed.companionEnds.get(index);
  if (end !== undefined) {
    return { kind: 'settle-companion', index, end, reason: 'it ended' };
  }
  switch (companion?.step) {
    case undefined:
    case 'running':
      return undefined;
    case 'building':
    case 'starting':
    case 'ended':
      return { kind: 'clear-companion', index, reason: companion.step === 'ended' ? 'it ended' : 'it was not started' };
    case 'idle':
      return companion.isDone ? undefined : begin(observed, { companion, index }, nowMs);
  }
}

function begin(observed: CompanionsObserved, { companion, index }: { readonly companion: CompanionRecord; readonly index: number }, nowMs: number): ReturnType<typeof upkeep> {
  if (companion.notBeforeMs > nowMs) {
    return { kind: 'wait', untilMs: companion.notBeforeMs, reason: 'waits to start a sidecar again' };
  }
  return observed.mayStart ? { kind: 'start-companion', index, reason: 'its turn' } : { kind: 'wait', reason: 'waits for a controller to confirm the assignment' };
}

/** undefined: the next one's turn. */
function progress(record: TaskRecord, companion: CompanionRecord, index: number): CompanionStep | undefined {
  const spec: CompanionSpec | undefined = record.task.companions?.[index];
  if (spec?.role !== 'init') {
    return undefined;
  }
  if (companion.step === 'running') {
    return { kind: 'wait', reason: `init container ${spec.name} runs` };
  }
  return companion.lastExit?.code === 0 ? undefined : { kind: 'init-failed', index };
}
