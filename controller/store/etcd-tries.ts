/** How long each member of etcd is given to answer one call. */

/** `repeatable`: asking twice changes nothing that lasts. `once`: it may have landed where no answer came, and a second one would land too. */
export type CallKind = 'repeatable' | 'once';

/** For a call as a whole. */
const CALL_TIMEOUT_MS = 4_500;

/** For one member where there are others: three of them within the time of a call. */
const TRY_MS = CALL_TIMEOUT_MS / 3;

/** That a member did not answer in less says nothing of it. */
const LEAST_TRY_MS = 100;

/** True where another member may be asked although this one may have carried the call out. */
export function mayAskAnother(kind: CallKind, memberCount: number): boolean {
  return kind === 'repeatable' && memberCount > 1;
}

/** How long the next try of a call may take that began `elapsedMs` ago; 0 where its time is over. */
export function nextTryMs(call: { readonly kind: CallKind; readonly memberCount: number }, elapsedMs: number): number {
  const leftMs = CALL_TIMEOUT_MS - elapsedMs;
  if (leftMs < LEAST_TRY_MS) {
    return 0;
  }
  return mayAskAnother(call.kind, call.memberCount) ? Math.min(TRY_MS, leftMs) : leftMs;
}
