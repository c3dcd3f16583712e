/** Space of etcd: what each member uses of its quota, and when history must give space back. Decisions alone. */

export interface EtcdMemberSpace {
  readonly host: string;
  /** Size of the file: etcd refuses writes once it reaches the quota. */
  readonly sizeBytes: number;
  /** Part of the file that holds data; defragmentation gives the rest back. */
  readonly inUseBytes: number;
  /** Undefined where the member does not serve it. */
  readonly quotaBytes: number | undefined;
}

export interface EtcdSpace {
  /** Revision of the store when this was read. */
  readonly etcdRevision: number;
  /** Members that answered. */
  readonly members: readonly EtcdMemberSpace[];
  /** True while the NOSPACE alarm of any member is raised: etcd refuses every put and every new lease. */
  readonly isOutOfSpace: boolean;
}

/** Share of the quota from which history is compacted and files are defragmented. */
export const RECLAIM_SHARE = 0.6;
/** Largest share of the quota at which an alarm is disarmed: above it, the next writes would raise it again. */
export const DISARM_SHARE = 0.8;
/** A file is defragmented where at most this share of it is in use. */
const IN_USE_SHARE = 0.8;
/** Revisions that stay for watches that are behind, while there is time. */
const KEPT_REVISIONS = 1_000;

/**
 * Revision to compact at; undefined while no member is short of space. Out of space, the revision of the look before: watches
 * had the time between two looks to come past it.
 */
export function compactionRevision({ etcdRevision, isOutOfSpace, members }: EtcdSpace, before: EtcdSpace | undefined): number | undefined {
  if (isOutOfSpace) return before?.isOutOfSpace === true ? before.etcdRevision : undefined;
  const isShort = members.some(member => usedShare(member) >= RECLAIM_SHARE);
  return isShort && etcdRevision > KEPT_REVISIONS ? etcdRevision - KEPT_REVISIONS : undefined;
}

/** True where defragmentation of the member gives back enough to be worth the pause. */
export function isWorthDefragmenting({ inUseBytes, sizeBytes }: EtcdMemberSpace): boolean {
  return inUseBytes <= sizeBytes * IN_USE_SHARE;
}

/** True where every member that answered has room to write again. */
export function hasRoom(members: readonly EtcdMemberSpace[]): boolean {
  return members.length > 0 && members.every(member => usedShare(member) < DISARM_SHARE);
}

function usedShare({ quotaBytes, sizeBytes }: EtcdMemberSpace): number {
  return quotaBytes === undefined ? 0 : sizeBytes / quotaBytes;
}
