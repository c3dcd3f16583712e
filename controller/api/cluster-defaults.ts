/** What a manifest leaves to the cluster, filled in when it is applied: what is stored says all, whatever controllers say later. */
import type { AppSpec } from '#model/app.ts';
import type { PlacementPolicy } from '#model/service.ts';

export interface ClusterDefaults {
  /** Of services that name none. */
  readonly defaultPolicy: PlacementPolicy;
}

/** A service without a policy spreads, so only another one is written. */
export function withClusterDefaults(app: AppSpec, { defaultPolicy }: ClusterDefaults): AppSpec {
  return defaultPolicy === 'spread' ? app : {
    ...app,
    services: app.services.map(service => (service.placement.policy === undefined ? { ...service, placement: { ...service.placement, policy: defaultPolicy } } : service)),
  };
}
