import type { EndpointSet } from '#model/endpoints.ts';

/**
 * Names of services and tasks, resolved at the address of the bridge by a server that outlives the
 * agent.
 */
export interface NodeDns {
  /** Starts the server unless it runs. */
  ensureRunning(gatewayAddress: string, signal: AbortSignal): Promise<void>;
  /** Starts a server that is dead or did not answer at two audits in a row; returns the repairs. */
  audit(signal: AbortSignal): Promise<readonly string[]>;
  apply(set: EndpointSet): Promise<void>;
  /** Returns the text of /etc/resolv.conf of a container. */
  resolvConf(namespace: string, app: string): string;
  tearDown(): Promise<void>;
}
