/** The cheapest single change that gets a service's waiting tasks placed: tried on paper before it is told. Never "delete". */
import type { Service } from '#model/app.ts';
import type { Fix } from '#model/cluster-plan.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { findBlocked } from './blocked.ts';
import type { Blocked } from './blocked.ts';
import { helps } from './candidate.ts';
import type { Candidate } from './candidate.ts';
import { fewerReplicas, lessOfIt, loosened, withoutGang, withoutRules, withoutVolumes } from './fix-field.ts';
import { newNode } from './fix-new-node.ts';
import { labelled, mended, opened, reopened } from './fix-node.ts';
import { raisedQuota } from './fix-quota.ts';
import type { WantedSlot } from './schedule.ts';

/** What waits, in what state of the cluster. */
export interface Waiting {
  readonly snapshot: ClusterSnapshot;
  readonly service: Service;
  readonly slots: readonly WantedSlot[];
}

/**
 * The first change, from the cheapest kind to the dearest, after which all of `slots` are placed; where there is none, after which the first
 * that fits nowhere is. What costs nothing comes first (a node that is held back, a label, a taint, a limit), then what the service does with
 * less, then a node more, then what it gives up, then the quota. Undefined where nothing waits, or no single change helps.
 */
export function cheapestFix({ snapshot, service, slots }: Waiting): Fix | undefined {
  const blocked = findBlocked(snapshot, service, slots);
  if (blocked === undefined) {
    return undefined;
  }
  const found = firstThatHelps(blocked);
  if (found !== undefined || service.spec.placement.isGang || slots.length === 1) {
    return found;
  }
  const alone = findBlocked(snapshot, service, [blocked.first]);
  return alone === undefined ? undefined : firstThatHelps(alone);
}

function firstThatHelps(blocked: Blocked): Fix | undefined {
  for (const candidate of candidates(blocked)) {
    if (helps(blocked, candidate)) {
      return candidate.fix;
    }
  }
  return undefined;
}

function* candidates(blocked: Blocked): Iterable<Candidate> {
  const single = blocked.nodes.filter(one => one.obstacles.length === 1);
  yield* reopened(blocked, single);
  yield* labelled(blocked, single);
  yield* loosened(blocked, single);
  yield* lessOfIt(blocked);
  yield* withoutRules(blocked, single);
  yield* opened(blocked, single);
  yield newNode(blocked);
  yield* fewerReplicas(blocked);
  yield* withoutGang(blocked);
  yield* mended(blocked, blocked.nodes);
  yield* withoutRules(blocked, blocked.nodes);
  yield* withoutVolumes(blocked);
  yield* raisedQuota(blocked);
}
