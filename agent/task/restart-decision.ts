import type { RestartPolicy } from '#model/service.ts';

/** One ended attempt; `code` is null where nobody could see it, or where the container never started. */
export interface AttemptEnd {
  readonly code: number | null;
  /** Unix epoch milliseconds. */
  readonly finishedAtMs: number;
}

export type RestartDecision =
  | { readonly kind: 'restart'; readonly notBeforeMs: number; readonly recent: readonly AttemptEnd[] }
  | { readonly kind: 'complete' }
  | { readonly kind: 'fail'; readonly reason: 'policy-never' | 'attempts-exhausted' };

/** More would not lengthen the wait. */
const MAX_REMEMBERED_ENDS = 20;
/** The longest wait before a sidecar is started again. Source: Kubernetes, "Container restarts": back-off capped at five minutes */
const MAX_SIDECAR_DELAY_MS = 300_000;

/**
 * Decides what follows the end of a sidecar: by its mode as for a task, but it is never given up, since the task goes on without it. The first
 * restart is at once, then the delay doubles up to five minutes; ends older than the policy's window are forgotten.
 */
export function decideSidecarRestart(policy: RestartPolicy, earlier: readonly AttemptEnd[], latest: AttemptEnd): Exclude<RestartDecision, { readonly kind: 'fail' }> {
  if (policy.mode === 'never' || (policy.mode === 'on-failure' && latest.code === 0)) {
    return { kind: 'complete' };
  }
  const windowStartMs = latest.finishedAtMs - policy.windowMs;
  const recent = [...earlier.filter(end => end.finishedAtMs > windowStartMs), latest].slice(-MAX_REMEMBERED_ENDS);
  const delayMs = recent.length === 1 ? 0 : Math.min(MAX_SIDECAR_DELAY_MS, policy.delayMs * 2 ** (recent.length - 2));
  return { kind: 'restart', notBeforeMs: latest.finishedAtMs + delayMs, recent };
}

/**
 * Decides what follows `latest`, given the `earlier` ends still remembered. Jobs use the same rule: their `on-failure` or `never` ends
 * with a zero exit, and the tries beyond `maxAttempts` are new tasks.
 *
 * An unknown code is no success. Ends older than `windowMs` before `latest` are forgotten, so a container that ran well for a whole
 * window gets its full budget back, and `recent` stays bounded by `maxAttempts`. The first restart is at once; from the second on the
 * delay starts at `delayMs` and doubles.
 */
export function decideRestart(policy: RestartPolicy, earlier: readonly AttemptEnd[], latest: AttemptEnd): RestartDecision {
  if (latest.code === 0 && policy.mode !== 'always') {
    return { kind: 'complete' };
  }
  if (policy.mode === 'never') {
    return { kind: 'fail', reason: 'policy-never' };
  }
  const windowStartMs = latest.finishedAtMs - policy.windowMs;
  const recent = [...earlier.filter(end => end.finishedAtMs > windowStartMs), latest];
  if (recent.length > policy.maxAttempts) {
    return { kind: 'fail', reason: 'attempts-exhausted' };
  }
  const delayMs = recent.length === 1 ? 0 : policy.delayMs * 2 ** (recent.length - 2);
  return { kind: 'restart', notBeforeMs: latest.finishedAtMs + delayMs, recent };
}
