import type { PeerNode } from '#model/endpoints.ts';

/** A user namespace and a network namespace made together, wired to the node's bridge (decisions, "Network slot"). */
export interface NetworkSlot {
  /** Lower-case label, unique on the node; every name (veth, files) derives from it. */
  readonly id: string;
  readonly userNamespacePath: string;
  readonly networkNamespacePath: string;
  /** First host id of its 65,536. */
  readonly hostBase: number;
  /** IPv4 address on the node's /24. */
  readonly address: string;
}

/**
 * The node's network.
 *
 * 1. `acquire` gives a ready slot from the pool, or makes one; a slot belongs to one task until `release`.
 * 2. `release` takes away the namespaces, the veth, the address; releasing twice is fine.
 * 3. After a restart the pool is empty: `adopt` takes back a slot that a running task has, `sweep` removes all others.
 * 4. `setPeers` makes forwarding and routes to the other nodes equal the list (vxlan, static entries).
 * 5. `setManagers` closes the controllers and NATS (`HOST:PORT`) to tasks.
 */
export interface NodeNetwork {
  /** Bridge, vxlan, base firewall rules. Idempotent. */
  setUp(subnetIndex: number, signal: AbortSignal): Promise<void>;
  acquire(signal: AbortSignal): Promise<NetworkSlot>;
  release(slotId: string): Promise<void>;
  adopt(slot: NetworkSlot): Promise<boolean>;
  sweep(keep: ReadonlySet<string>): Promise<void>;
  setPeers(peers: readonly PeerNode[]): Promise<void>;
  setManagers(endpoints: readonly string[]): Promise<void>;
  /** Repairs what somebody else took away (bridge, links, rules); returns what it repaired, for events. */
  audit(): Promise<readonly string[]>;
  /** Takes away slots that could not be taken away when they were given back. @throws what the machine says where one still cannot be */
  clearAway(): Promise<void>;
  /** Everything gone: for `agent leave` and the dev cluster's stop. */
  tearDown(): Promise<void>;
}
