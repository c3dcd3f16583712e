/** One change that may be a way out, and whether it is: the scheduler says so on paper. */
import type { Service } from '#model/app.ts';
import type { Fix } from '#model/cluster-plan.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { Blocked } from './blocked.ts';
import { schedule } from './schedule.ts';
import type { WantedSlot } from './schedule.ts';

/** The change, and what it leaves. */
export interface Candidate {
  readonly fix: Fix;
  readonly service: Service;
  readonly snapshot: ClusterSnapshot;
  /** Slots that are then wanted; absent: the same. */
  readonly slots?: readonly WantedSlot[];
  /** It is enough that some of them are placed then (a gang that is none any more). */
  readonly isPartial?: true;
}

/** One field of the manifest. */
export interface FieldEdit {
  /** Below the service. */
  readonly path: string;
  /** YAML, on one line. */
  readonly value: string;
  readonly sentence: string;
  /** As of `Fix`. */
  readonly command?: string;
}

/** The service as the arguments of a verb: `shop/web`, `-n prod shop/web`. */
export function serviceWords({ namespace, app, name }: Pick<Service, 'namespace' | 'app' | 'name'>): string {
  return `${namespace === 'default' ? '' : `-n ${namespace} `}${app}/${name}`;
}

/** True when all slots that are wanted then have a place. */
export function helps({ snapshot: before, table, slots }: Blocked, candidate: Candidate): boolean {
  const { snapshot, service } = candidate;
  const wanted = candidate.slots ?? slots;
  const { placements, rejections } = schedule(snapshot, [{ service, slots: wanted }], ...(snapshot === before ? [table] : []));
  return candidate.isPartial === true ? placements.length > 0 : rejections.length === 0;
}

export function distinct(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)].sort();
}
