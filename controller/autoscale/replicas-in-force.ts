/** How many replicas a service wants: its own number, or what autoscaling made of it. */
import type { ServiceStatus } from '#model/app.ts';
import type { AutoscaleSpec, ServiceSpec } from '#model/service.ts';

/** A number that autoscaling set outlives applies; limits that an apply changes hold at once. */
export function replicasInForce({ replicas, autoscale }: Pick<ServiceSpec, 'replicas' | 'autoscale'>, status: Pick<ServiceStatus, 'autoscale'> | undefined): number {
  return autoscale === undefined ? replicas : withinLimits(status?.autoscale?.replicas ?? replicas, autoscale);
}

export function withinLimits(replicas: number, { min, max }: Pick<AutoscaleSpec, 'min' | 'max'>): number {
  return Math.min(max, Math.max(min, replicas));
}
