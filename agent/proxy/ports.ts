import type { EndpointSet } from '#model/endpoints.ts';

/**
 * Service addresses on this node. `apply` makes the kernel's rules equal the set: one nft transaction, no packet of an unchanged
 * service touched. Resolves when in force. Idempotent.
 */
export interface ServiceProxy {
  /** Closes tasks to each other until the first set, unless rules of an earlier agent are in force. */
  setUp(): Promise<void>;
  apply(set: EndpointSet): Promise<void>;
  /** Lets a task of this node reach its App from its first instruction on, before the cluster's endpoints name it. Resolves when in force. */
  admit(address: string, app: { readonly namespace: string; readonly app: string }): Promise<void>;
  /** The address is no task's any more. Repeats are fine. */
  dismiss(address: string): Promise<void>;
  /** Repairs rules that somebody else took away; returns what it repaired. */
  audit(): Promise<readonly string[]>;
}
