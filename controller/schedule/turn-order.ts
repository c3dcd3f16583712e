/** In which order services are placed: equal input, whatever its order, has one. */
import type { Service } from '#model/app.ts';
import { requestsOf } from '#model/companion.ts';
import { classKey } from './eligible.ts';
import { digestsOf } from './image-rows.ts';
import type { NodeTable } from './node-table.ts';
import { policyOf } from './scores.ts';

export interface OrderedTurn<Pending> {
  readonly one: Pending;
  /** Of tasks that may go to the same nodes and ask for the same. */
  readonly key: string;
  /** How many services have that key. */
  readonly alike: number;
}

interface Ranked<Pending> extends Omit<OrderedTurn<Pending>, 'alike'> {
  readonly priority: number;
  readonly size: number;
}

/**
 * Higher priority first; then those of the largest tasks, which find room the hardest, by the share of the largest node; then alike beside
 * alike; then by ids.
 */
export function turnOrder<Pending extends { readonly service: Service }>(table: NodeTable, pending: readonly Pending[]): readonly OrderedTurn<Pending>[] {
  const { largest } = table;
  const ranked = pending.map((one): Ranked<Pending> => {
    const { placement, container } = one.service.spec;
    const { milliCpu, memoryBytes } = requestsOf(one.service.spec);
    const wishes = placement.prefer.length === 0 ? '' : JSON.stringify(placement.prefer);
    const devices = container.deviceRequests.length === 0 ? '' : JSON.stringify(container.deviceRequests);
    return {
      one, priority: placement.priority, size: sizeOf(milliCpu / largest.milliCpu, memoryBytes / largest.memoryBytes),
      // Packed one beside the other, alike leave nodes with much of one resource and nothing of the other.
      key: policyOf(placement) === 'binpack' ? one.service.id : `${String(milliCpu)} ${String(memoryBytes)} ${policyOf(placement)}${placement.spread.join(' ')}${wishes}${devices}${imagesKey(table, one.service)} ${classKey(one.service)}`,
    };
  });
  const counts = new Map<string, number>();
  ranked.forEach(({ key }) => counts.set(key, (counts.get(key) ?? 0) + 1));
  const ordered = ranked.sort((left, right) => right.priority - left.priority || right.size - left.size
    || compareTexts(left.key, right.key) || compareTexts(left.one.service.id, right.one.service.id));
  return ordered.map(({ one, key }) => ({ one, key, alike: counts.get(key) ?? 1 }));
}

/** Images that no node has make no difference. */
function imagesKey(table: NodeTable, { spec }: Service): string {
  return digestsOf(spec).filter(digest => table.images.has(digest)).join();
}

/** By the scarcer resource, and a little by the other: tasks that are large in both are the hardest to place. Found by trying, for packing. */
function sizeOf(cpu: number, memory: number): number {
  return Math.max(cpu, memory) + 0.3 * Math.min(cpu, memory);
}

function compareTexts(left: string, right: string): number {
  return left < right ? -1 : Number(left > right);
}
