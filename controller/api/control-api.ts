/** ControlApi: everything clusterctl calls, put together from its parts. */
import type { ControlHandlers } from '#model/ports.ts';
import { createIdentityApi } from '../identity/join-api.ts';
import type { JoinParts } from '../identity/ports.ts';
import { serveClientTunnel } from '../tunnel/tunnel-flow.ts';
import type { TunnelParts } from '../tunnel/tunnel-flow.ts';
import { requireRole } from './access.ts';
import { createApply } from './apply-api.ts';
import type { ApplyParts } from './apply-api.ts';
import { pinDebugImage } from './digest-flow.ts';
import { createEventApi } from './event-api.ts';
import { createNamespaceApi } from './namespace-api.ts';
import { createImageApi } from './image-api.ts';
import type { ImageApiParts } from './image-api.ts';
import { createMovesApi } from './moves-api.ts';
import { createNodeApi } from './node-api.ts';
import type { NodeApiParts } from './node-api.ts';
import { createPauseApi } from './pause-api.ts';
import { createPlanApi } from './plan-api.ts';
import type { PlanParts } from './plan-api.ts';
import { createReplaceApi } from './replace-api.ts';
import { createResizeApi } from './resize-api.ts';
import { createRolloutApi } from './rollout-api.ts';
import { createRoutedApi } from './routed-api.ts';
import type { RoutedParts } from './routed-api.ts';
import { createSecretApi } from './secret-api.ts';
import { createServiceApi } from './service-api.ts';
import { createUsageApi } from './usage-api.ts';
import type { UsageParts } from './usage-api.ts';
import { createViewApi } from './view-api.ts';
import type { ViewParts } from './view-api.ts';
import { createVolumeApi } from './volume-api.ts';

export type ControlParts = ApplyParts & ImageApiParts & NodeApiParts & PlanParts & ViewParts & JoinParts & TunnelParts & RoutedParts & UsageParts;

export function createControlApi(parts: ControlParts): ControlHandlers {
  const { createToken, renewCertificate } = createIdentityApi(parts);
  return {
    apply: createApply(parts),
    ...createPlanApi(parts),
    ...createServiceApi(parts),
    ...createRolloutApi(parts),
    ...createMovesApi(parts),
    ...createResizeApi(parts),
    ...createPauseApi(parts),
    ...createViewApi(parts),
    ...createRoutedApi(parts),
    ...createEventApi(parts),
    ...createSecretApi(parts),
    ...createVolumeApi(parts),
    ...createNamespaceApi(parts),
    ...createImageApi(parts),
    ...createNodeApi(parts),
    ...createReplaceApi(parts),
    ...createUsageApi(parts),
    createToken,
    renewCertificate,
    async tunnel(request, tunnel, peer, signal) {
      requireRole(peer, 'operator');
      await serveClientTunnel(await pinDebugImage(request, parts, signal), tunnel, parts, signal);
    },
  };
}
