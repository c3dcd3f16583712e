import type { EndpointSet } from '#model/endpoints.ts';

/**
 * Service addresses on this node. `apply` makes the kernel's rules equal the set: one nft transaction, no packet of an unchanged
 * service touched. Resolves when in force. Idempotent.
 */
export interface ServiceProxy {
  apply(set: EndpointSet): Promise<void>;
}
