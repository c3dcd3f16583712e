import type { Clock } from '#kit/clock.ts';
import type { TaskId } from '#model/ids.ts';
import type { Tunnel, TunnelSpec } from '#model/tunnel.ts';
import type { UsageSample } from '#model/usage.ts';

export interface StatsSource {
  /**
   * Reads usage of the given tasks that run on this node; `withWritable` adds the size of their
   * writable layers.
   */
  readonly read: (tasks: readonly TaskId[], withWritable: boolean) => Promise<readonly UsageSample[]>;
  readonly clock: Clock;
}

/** Shortest interval: below it, mostly the measurement itself would be measured. */
const MIN_INTERVAL_MS = 100;
const MAX_INTERVAL_MS = 60_000;

/**
 * Sends samples at once and at each interval, at the pace of the client; eof when none of the tasks
 * runs.
 */
export async function sendStats(tunnel: Tunnel, spec: TunnelSpec & { readonly kind: 'stats' }, { read, clock }: StatsSource, signal: AbortSignal): Promise<void> {
  const intervalMs = Math.min(MAX_INTERVAL_MS, Math.max(MIN_INTERVAL_MS, spec.intervalMs));
  for (;;) {
    const samples = await read(spec.tasks, spec.withWritable);
    if (samples.length === 0) {
      await tunnel.send({ kind: 'eof' });
      return;
    }
    for (const sample of samples) {
      await tunnel.send({ kind: 'usage', sample });
    }
    await clock.sleep(intervalMs, signal);
  }
}
