import type { ServiceStatus } from './app.ts';

/** How many slots of the service fit nowhere. */
export function pendingCountOf({ pending, pendingCount = pending.length }: Pick<ServiceStatus, 'pending' | 'pendingCount'>): number {
  return pendingCount;
}
