import type { ClusterEvent } from '#model/event.ts';
import type { NodeId } from '#model/ids.ts';
import type { UsageSample } from '#model/usage.ts';

/**
 * What is heard as it happens, and may be lost: whoever needs the truth reads etcd.
 *
 * 1. Publishing never throws, never waits, and while the carrier is away drops what it is given, counted in `droppedCount`.
 * 2. A subscription lives until its signal aborts, across every outage; what happened meanwhile is missing.
 * 3. A subscriber that is slow loses the oldest of 1000 waiting items.
 * 4. `onGap` is called whenever something may be missing: after each connection but the first, and when items were dropped from a
 * subscription. 5. Bytes that are not news are skipped.
 */
export interface News {
  publishEvent(event: ClusterEvent): void;
  publishUsage(sample: UsageSample): void;
  events(signal: AbortSignal): AsyncIterable<ClusterEvent>;
  /** Of one node, or of all. */
  usage(node: NodeId | undefined, signal: AbortSignal): AsyncIterable<UsageSample>;
  readonly droppedCount: number;
  readonly isConnected: boolean;
}
