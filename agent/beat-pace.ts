/** How soon heartbeats may follow each other when there is news: each may be a write in the cluster's store. */

/** Changes this close together always share a heartbeat. */
const COALESCE_MS = 2;
/** So many changes are told one by one; when more follow, those of `SHARED_MS` share a heartbeat. */
const QUICK_BEATS = 4;
const SHARED_MS = 40;

/** When the next beat would come at one each `SHARED_MS`; monotonic. Source: ITU-T I.371, generic cell rate algorithm, theoretical arrival time */
export type BeatPace = number;

export const FRESH_PACE: BeatPace = -Infinity;

/** After a beat at `nowMs`. `pauseMs`: until the next one, whatever there is to tell. */
export function paceAfterBeat(pace: BeatPace, nowMs: number): { readonly pace: BeatPace; readonly pauseMs: number } {
  const next = Math.max(pace, nowMs) + SHARED_MS;
  return { pace: next, pauseMs: Math.max(COALESCE_MS, next - nowMs - QUICK_BEATS * SHARED_MS) };
}
