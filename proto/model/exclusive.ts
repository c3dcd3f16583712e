/** Services that never have two copies of a replica, also through a network cut: how long each side waits (reliability 3). */
import type { ContainerSpec, DisconnectSpec } from './service.ts';

/**
 * SAFE: between the last instant at which a cut-off task may run and its replacement. Covers what two monotonic clocks differ by, the kill itself, and the 2/3 LEASE that
 * a controller may go on acknowledging after its own key is gone.
 */
export const SAFE_MS = 10_000;

/** The shortest `stop_after`: heartbeats are 2 s apart. */
export const MIN_STOP_AFTER_MS = 3_000;

/** What is replaced at once may have two copies of a replica while its node is cut off; what holds its place or stops itself never has. */
export function hasOneCopy(onDisconnect: DisconnectSpec): boolean {
  return onDisconnect.kind !== 'replace';
}

/** How long after the last acknowledged heartbeat the last process of a cut-off task ends: told to at `stopAfterMs`, killed once its grace period is over. */
export function lastRunMs({ stopAfterMs, container }: { readonly stopAfterMs: number; readonly container: Pick<ContainerSpec, 'stopGracePeriodMs'> }): number {
  return stopAfterMs + container.stopGracePeriodMs;
}

/** The earliest time at which it may be replaced. */
export function leastReplaceAfterMs(of: Parameters<typeof lastRunMs>[0]): number {
  return lastRunMs(of) + SAFE_MS;
}
