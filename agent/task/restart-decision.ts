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
