import { ClusterError } from '#model/errors.ts';

/** A call without a shorter deadline ends after this long (reliability 10); streams are excepted. */
export const MAX_CALL_MS = 5 * 60_000;

/** The work's answer, unless `deadline` (as gRPC has it) or five minutes pass first. After the deadline no work begins. @throws ClusterError DEADLINE_EXCEEDED */
export async function withinDeadline<T>(work: () => Promise<T>, deadline: Date | number, nowMs: number): Promise<T> {
  const leftMs = Math.min(MAX_CALL_MS, Number(deadline) - nowMs);
  if (leftMs <= 0) {
    throw new ClusterError('DEADLINE_EXCEEDED', 'the deadline had passed when the call came');
  }
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.reject(new ClusterError('DEADLINE_EXCEEDED', `no answer within ${String(Math.round(leftMs))} ms`));
  }, leftMs);
  try {
    return await Promise.race([work(), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
