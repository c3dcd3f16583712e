import type { EndpointSet } from '#model/endpoints.ts';

/**
 * Service addresses on this node. `apply` makes the rules of the kernel equal the set in one nft
 * transaction, without an effect on packets of unchanged services. It resolves when the rules are
 * in force, and is idempotent.
 */
export interface ServiceProxy {
  /**
   * Isolates tasks from each other until the first set, unless rules of an earlier agent are in
   * force.
   */
  setUp(): Promise<void>;
  apply(set: EndpointSet): Promise<void>;
  /**
   * Lets a task of this node reach its App from its start on, before the endpoints name it.
   * Resolves when in force.
   */
  admit(address: string, app: { readonly namespace: string; readonly app: string }): Promise<void>;
  /** Withdraws `admit`: the address belongs to no task any more. May be repeated. */
  dismiss(address: string): Promise<void>;
  /** Repairs rules that another program removed; returns the repairs. */
  audit(): Promise<readonly string[]>;
}
