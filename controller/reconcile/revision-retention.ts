/** Selects the Revisions of an App that nothing uses any more. */
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { appId } from '#model/ids.ts';
import type { AppId } from '#model/ids.ts';

/** As kubectl's revisionHistoryLimit. */
export const REVISION_HISTORY_LIMIT = 10;

/** Returns by App the numbers of the Revisions that a Service, a rollback or a Task uses. */
export function neededRevisions({ serviceStatuses, services, tasks }: ClusterSnapshot): ReadonlyMap<AppId, ReadonlySet<number>> {
  const needed = new Map<AppId, Set<number>>();
  const need = (namespace: string, app: string, ...numbers: readonly number[]): void => {
    const id = appId(namespace, app);
    const known = needed.get(id) ?? new Set();
    needed.set(id, known);
    numbers.forEach(number => known.add(number));
  };
  for (const { value: { app, id, namespace, revision } } of services.values()) {
    const status = serviceStatuses.get(id)?.value;
    need(namespace, app, revision, ...(status === undefined ? [] : [status.settledRevision, status.rollout.revision]));
  }
  for (const { value: { app, namespace, revision } } of tasks.values()) need(namespace, app, revision);
  return needed;
}

/**
 * True where a record of the App, or a Task that may be its own, cannot be read: it may need any Revision.
 * @param unreadableKeys  of etcd
 */
export function isInDoubt(id: AppId, { unreadableTasks }: ClusterSnapshot, unreadableKeys: Iterable<string>): boolean {
  return [...unreadableTasks.values()].some(({ serviceId }) => serviceId === undefined || serviceId.startsWith(`${id}/`))
    || [...unreadableKeys].some(key => key.includes(`/${id}/`));
}

/** Returns the stored Revisions to delete: older than the `limit` newest before `inForce`, and not needed. */
export function revisionsToDelete(
  stored: readonly number[], { inForce, limit, needed }: { readonly inForce: number; readonly limit: number; readonly needed: ReadonlySet<number> },
): readonly number[] {
  const earlier = stored.filter(number => number < inForce).toSorted((left, right) => right - left);
  return earlier.slice(limit).filter(number => !needed.has(number));
}
