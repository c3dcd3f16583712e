/** Pending slots that the controllers count and do not list. */
import { pendingCountOf } from '#model/pending-count.ts';
import type { ClusterView } from '#model/ports.ts';

/** Of the services that have a listed slot. */
export function pendingOmitted({ services, pending }: Pick<ClusterView, 'services' | 'pending'>): number {
  const listed = new Set(pending.map(({ service }) => service));
  return services.reduce((sum, { service, status }) => sum + (status !== undefined && listed.has(service.id) ? pendingCountOf(status) - status.pending.length : 0), 0);
}

/** A line below the list; undefined: all are in it. */
export function omittedText(omitted: number): string | undefined {
  return omitted === 0 ? undefined : `${String(omitted)} more pending ${omitted === 1 ? 'slot is' : 'slots are'} not listed; clusterctl why APP/SERVICE shows the reasons`;
}
