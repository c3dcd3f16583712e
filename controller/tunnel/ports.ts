import type { ControllerRecord } from '#model/node.ts';
import type { Tunnel, TunnelRequest } from '#model/tunnel.ts';

/** Another controller, called with this one's certificate. */
export interface PeerTunnels {
  /** A tunnel to the task through that controller; it must hold the session of the task's node. */
  relay(controller: ControllerRecord, request: TunnelRequest, signal: AbortSignal): Tunnel;
}
