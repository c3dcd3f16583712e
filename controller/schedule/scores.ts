/** How well a node suits a task: numbers from 0 to 1, compared one after the other. */
import { requestsOf } from '#model/companion.ts';
import { matches } from '#model/constraint.ts';
import { addResources } from '#model/resources.ts';
import type { PlacementSpec } from '#model/service.ts';
import type { ServiceRequest } from './filters.ts';
import type { NodeLoad } from './node-load.ts';

/** Labels to be even over; `node` where the service names none. */
export function spreadLabels(placement: PlacementSpec): readonly string[] {
  return placement.spread.length === 0 ? ['node'] : placement.spread;
}

/** Scores of a node, most important first: even over each spread label, wished labels, where the slot was before, least loaded. */
export function scoreNode(load: NodeLoad, request: ServiceRequest, slot: number): readonly number[] {
  const { placement } = request.service.spec;
  return [
    ...spreadLabels(placement).map(label => 1 / (1 + request.current.count(label, load.node))),
    preference(load, placement),
    request.previous.get(slot) === load.node.id ? 1 : 0,
    emptiness(load, request),
  ];
}

/** What the scores of `scoreNode` say, one name each. */
export function scoreNames(placement: PlacementSpec): readonly string[] {
  return [...spreadLabels(placement).map(label => `fewer of its tasks on the same ${label}`), 'preferred labels', 'the slot was there before', 'more room'];
}

/** True when `left` is better than `right`; equal scores are not. */
export function isBetter(left: readonly number[], right: readonly number[]): boolean {
  for (const [index, score] of left.entries()) {
    const other = right[index] ?? 0;
    if (score !== other) {
      return score > other;
    }
  }
  return false;
}

/** Share of the wishes' weight that the node meets; 1 where nothing is wished. */
function preference({ node }: NodeLoad, { prefer }: PlacementSpec): number {
  const total = prefer.reduce((sum, wish) => sum + wish.weight, 0);
  const met = prefer.filter(wish => matches(wish.rule, node.labels)).reduce((sum, wish) => sum + wish.weight, 0);
  return total === 0 ? 1 : met / total;
}

/** Free share of the scarcer resource once the task is there. */
function emptiness({ node, wanted }: NodeLoad, { service }: ServiceRequest): number {
  const after = addResources(wanted, requestsOf(service.spec));
  return 1 - Math.max(share(after.milliCpu, node.capacity.milliCpu), share(after.memoryBytes, node.capacity.memoryBytes));
}

function share(part: number, whole: number): number {
  return whole === 0 ? 1 : part / whole;
}
