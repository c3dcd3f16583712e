import type { EndpointSet } from '#model/endpoints.ts';
import type { AgentSessionEnd, IssuedCertificate } from '#model/ports.ts';
import type { OpenTunnel, Registered, Registration } from '#model/session.ts';
import type { DesiredSet } from './assignment.ts';

/** How the agent reaches a controller; over gRPC in rpc/, in memory in tests. */
export interface ControllerDialer {
  /** @throws ClusterError UNAVAILABLE and others; the caller tries the next controller */
  dial(address: string, signal: AbortSignal): Promise<AgentSessionEnd>;
  renew(address: string, csrPem: string, signal: AbortSignal): Promise<IssuedCertificate>;
  /** At a join listener, without a session: `csrPem` is signed by the key of the certificate in use, which has ended. */
  renewExpired(joinAddress: string, csrPem: string, signal: AbortSignal): Promise<IssuedCertificate>;
}

/** The assignment on disk; once `save` resolved, a crash does not lose it. Secrets are left out. */
export interface HeldAssignment {
  save(set: DesiredSet): Promise<void>;
  /** Undefined when there is none or it cannot be read: the next full set brings it. */
  load(): Promise<DesiredSet | undefined>;
}

/** What the session brings and the rest of the agent acts on. */
export interface SessionSink {
  /** Once per session, before its assignment and endpoints. */
  registered(message: Registered): Promise<void>;
  desired(set: DesiredSet): void;
  /** Is on its way to the disk, and in force once `desired` has it. `kept` ends with the save, either way. */
  foreseen(set: DesiredSet, kept: Promise<void>): void;
  /** A controller was heard again after a stall: what waited for that may start. */
  permitted(): void;
  /** A heartbeat was acknowledged after a silence that may have cut exclusive tasks off: those that wait for that may start. */
  heard(): void;
  endpoints(set: EndpointSet): void;
  /** Dials back at `address`. @throws ClusterError when the tunnel is refused before it began */
  openTunnel(address: string, message: OpenTunnel, signal: AbortSignal): Promise<void>;
}

/** Memory of the agent that the kernel may have back. */
export interface HeapTrimmer {
  trim(): Promise<void>;
}

/** What a registration says besides the statuses. */
export type NodeFacts = Omit<Registration, 'kind' | 'takesEndpointChanges' | 'takesKeptTasks' | 'statuses' | 'previousNonce' | 'nextNonce' | 'knownRevision' | 'clusterId' | 'hasDeadman' | 'networkFault' | 'listeningPorts'>;

/** What stops exclusive tasks when this agent does not, as the session keeps it (agent/deadman). */
export interface DeadmanWatch {
  /** It has looked within the last seconds. */
  isAtWork(): boolean;
  /** Since the boot, sleep of the machine included. */
  uptimeMs(): number;
  /** A heartbeat that was sent then was acknowledged: every time counts from there. */
  heard(sentUptimeMs: number): void;
}
