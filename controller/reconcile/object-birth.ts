import type { ClusterSnapshot, Versioned } from '#model/cluster-snapshot.ts';

type Objects = Pick<ClusterSnapshot, 'apps' | 'services' | 'nodes'>;

/**
 * Create revision of the object that has the name now: events that were recorded before are of an
 * earlier object of that name. 0: there is none, or it is of a kind whose names are never given twice.
 */
export function createRevisionOf(object: string, { apps, services, nodes }: Objects): number {
  const [kind = '', ...name] = object.split('/');
  const records: Readonly<Record<string, ReadonlyMap<string, Versioned<unknown>>>> = { app: apps, service: services, node: nodes };
  return records[kind]?.get(name.join('/'))?.createRevision ?? 0;
}
