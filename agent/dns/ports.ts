import type { EndpointSet } from '#model/endpoints.ts';

/** Names of services and tasks, answered on the bridge address by a server that outlives the agent. */
export interface NodeDns {
  /** Starts the server unless it runs already. */
  ensureRunning(gatewayAddress: string, signal: AbortSignal): Promise<void>;
  apply(set: EndpointSet): Promise<void>;
  /** Lines of a container's /etc/resolv.conf. */
  resolvConf(namespace: string, app: string): string;
  tearDown(): Promise<void>;
}
