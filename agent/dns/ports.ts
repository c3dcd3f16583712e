import type { EndpointSet } from '#model/endpoints.ts';

/** Names of services and tasks, answered on the bridge address by a server that outlives the agent. */
export interface NodeDns {
  /** Starts the server unless it runs already. */
  ensureRunning(gatewayAddress: string, signal: AbortSignal): Promise<void>;
  /** Starts a server that is dead or has not answered at two audits in a row; returns what it repaired. */
  audit(signal: AbortSignal): Promise<readonly string[]>;
  apply(set: EndpointSet): Promise<void>;
  /** Lines of a container's /etc/resolv.conf. */
  resolvConf(namespace: string, app: string): string;
  tearDown(): Promise<void>;
}
